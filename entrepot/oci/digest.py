"""Digests: `algorithm:encoded`, parsed once and then trusted (OCI image-spec, "Digests")."""

from __future__ import annotations

import hashlib
import re
from typing import Protocol, Self

from entrepot.oci.errors import DigestInvalid

ENCODED_LENGTH = {"sha256": 64, "sha512": 128}
"""The algorithms a registry must know, and the exact length of their lower-case hex form."""

CANONICAL = "sha256"

_LONGEST = len("sha512:") + 128
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")


class Hasher(Protocol):
    """What hashlib's objects can do; `update` releases the GIL for large pieces."""

    def update(self, data: bytes | bytearray | memoryview, /) -> None: ...
    def hexdigest(self) -> str: ...


class Digest(str):
    """A valid digest; only `parse`, `of` and `from_hasher` make one, so that paths may be built from it."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises DigestInvalid unless `text` is a known algorithm and its exact count of lower-case hex digits."""
        if len(text) > _LONGEST or _DIGEST.fullmatch(text) is None:
            raise DigestInvalid(f"{text[:_LONGEST]!r} is not a sha256 or sha512 digest")
        return cls(text)

    @classmethod
    def of(cls, content: bytes, algorithm: str = CANONICAL) -> Self:
        """The digest of `content`; `algorithm` must be a key of ENCODED_LENGTH."""
        return cls(f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}")

    @classmethod
    def from_hasher(cls, algorithm: str, hasher: Hasher) -> Self:
        """The digest of all that went through `hasher`, made by `new_hasher(algorithm)`."""
        return cls(f"{algorithm}:{hasher.hexdigest()}")

    @property
    def algorithm(self) -> str:
        return self[:6]

    @property
    def encoded(self) -> str:
        return self[7:]


def parse_algorithm(text: str) -> str:
    """Raises DigestInvalid unless `text` names a known algorithm."""
    if text not in ENCODED_LENGTH:
        raise DigestInvalid(f"digest algorithm {text[:32]!r} is not supported; sha256 and sha512 are")
    return text


def new_hasher(algorithm: str) -> Hasher:
    """A hasher for one of the known algorithms."""
    return hashlib.new(algorithm)
