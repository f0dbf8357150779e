"""The section `auth`: who may do what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from entrepot.config.section import Choice, Given, Parameters
from entrepot.config.types import FilePath, Flag, Name, not_empty, one_of

_ALGORITHMS = ("EdDSA", *(f"{family}{bits}" for family in ("HS", "RS", "ES", "PS") for bits in (256, 384, 512)))


class Open(Parameters):
    """Everybody may do everything; it takes no parameters."""


class Silly(Parameters):
    """Anything that is said to be an authorization will do: for tests of clients."""

    realm: Name
    service: Name


class Htpasswd(Parameters):
    """Names and bcrypt hashes in a file."""

    realm: Name
    path: Annotated[FilePath, not_empty]


class Token(Parameters):
    """Bearer tokens that an authorization server signs."""

    realm: Name
    issuer: Name
    service: Name
    rootcertbundle: FilePath = ""
    jwks: FilePath = ""
    autoredirect: Flag = False
    autoredirectpath: Name = "/auth/token"
    signingalgorithms: tuple[Annotated[str, one_of(*_ALGORITHMS)], ...] = _ALGORITHMS

    @classmethod
    def contradictions(cls, given: Given) -> Iterator[tuple[str, str]]:
        if not given.get("rootcertbundle") and not given.get("jwks"):
            yield "rootcertbundle", "required without jwks"


class Auth(Choice):
    """At most one way to authorize."""

    none: Open | None = None
    silly: Silly | None = None
    htpasswd: Htpasswd | None = None
    token: Token | None = None

    @classmethod
    def contradictions(cls, given: Given) -> Iterator[tuple[str, str]]:
        chosen = [key for key in given if key in cls.by_key()]
        for key in chosen[1:]:
            yield key, f"only one type of auth may be given, and there is {chosen[0]} already"
