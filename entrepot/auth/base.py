"""PORT. Whoever judges what a request presents: what it wants, what it is granted, and how it is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from entrepot.oci.errors import Detail, Unauthorized

REPOSITORY, REGISTRY = "repository", "registry"
ANY = "*"
_UNSENDABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


class Access(NamedTuple):
    """One action on one thing, as the scopes of tokens name them."""

    type: str
    name: str
    action: str


class Presented(NamedTuple):
    """What a request brings: its Authorization header, the scheme and host it was sent to, and its client's address."""

    authorization: str | None
    scheme: str = "http"
    host: str = ""
    client: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """What somebody may do. `resources` maps a type and a name to the actions allowed on it; None allows everything.

    `classes` says of a repository which classes of content the grant is for; empty where it says nothing.
    """

    user: str = ""
    resources: Mapping[tuple[str, str], frozenset[str]] | None = None
    classes: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def allows(self, access: Access) -> bool:
        if self.resources is None:
            return True
        actions = self.resources.get((access.type, access.name), frozenset())
        return access.action in actions or ANY in actions


EVERYTHING = Grant()
"""To whoever comes."""


class Authenticator(Protocol):
    """Judges requests; one for the whole registry."""

    def known(self, presented: Presented) -> Grant | None:
        """The grant, where it is known without waiting; None says nothing. May be called in any thread."""

    async def authorize(self, presented: Presented, wanted: Sequence[Access]) -> Grant:
        """The grant, which allows all that is wanted.

        Raises Unauthorized with a challenge, TooManyRequests for who has failed too often, and RegistryError where
        nobody can be judged.
        """


def refusal(challenge: str, wanted: Sequence[Access]) -> Unauthorized:
    """The refusal that tells a client how to come by what it wants, in Distribution's words."""
    # Go writes an empty list as null, and the fields of its struct by their own names.
    detail = [{"Type": one.type, "Class": "", "Name": one.name, "Action": one.action} for one in wanted]
    return Unauthorized(detail or Detail.NULL, headers=[("www-authenticate", challenge)])


def quoted(text: str) -> str:
    """A quoted-string of a challenge (RFC 9110 §5.6.4).

    What a client names is repeated there: what no header may hold would cost it the whole challenge.
    """
    escaped = _UNSENDABLE.sub("?", text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
