"""The routes of the v2 API: which path means what, read from the right so that a repository may be called anything."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from entrepot.api.message import Request, Response
from entrepot.oci.names import RepositoryName


class Action(Enum):
    """What a request asks leave for; what is not in the table is never allowed."""

    PING = "ping"
    PULL = "pull"
    PUSH = "push"
    DELETE = "delete"
    CATALOG = "catalog"


class Kind(Enum):
    """The routes, by the names Distribution's metrics give them."""

    BASE = "base"
    CATALOG = "catalog"
    TAGS = "tags"
    REFERRERS = "referrers"
    MANIFEST = "manifest"
    BLOB = "blob"
    UPLOADS = "blob_upload"
    UPLOAD = "blob_upload_chunk"


@dataclass(frozen=True, slots=True)
class Target:
    """What a path names: a kind of thing, in a repository, by a last segment that its handler parses.

    `asked` is the name in the path where the repository is called otherwise here.
    """

    kind: Kind
    name: RepositoryName
    argument: str = ""
    asked: RepositoryName | None = None


Handler = Callable[[Request, Target], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A method of a route: what it needs leave for, and who answers."""

    action: Action
    handler: Handler


Routes = Mapping[Kind, Mapping[str, Endpoint]]
"""For each kind of target, its methods. The dispatcher, `Allow` and the gate all read this one table."""

_NOWHERE = RepositoryName("")


_LONGEST_REMEMBERED = 512
"""Characters; no path that names something is longer, and made-up ones must not fill the memory."""


def match(path: str) -> Target | None:
    """What a path below the prefix names; None where it is no route. Raises NameInvalid."""
    return _remembered(path) if len(path) <= _LONGEST_REMEMBERED else _match(path)


@lru_cache(maxsize=4096)
def _remembered(path: str) -> Target | None:
    return _match(path)


def _match(path: str) -> Target | None:
    if not path.startswith("/v2/"):
        return None
    rest = path[4:]
    if not rest:
        return Target(Kind.BASE, _NOWHERE)
    if rest == "_catalog":
        return Target(Kind.CATALOG, _NOWHERE)
    if rest.endswith("/tags/list"):
        return _target(Kind.TAGS, rest[:-10])
    if rest.endswith(("/blobs/uploads/", "/blobs/uploads")):
        return _target(Kind.UPLOADS, rest.rstrip("/")[:-14])
    return _match_last_segment(*rest.rsplit("/", 2))


def _match_last_segment(*segments: str) -> Target | None:
    if len(segments) != 3 or not segments[2]:
        return None
    head, word, last = segments
    if word == "manifests":
        return _target(Kind.MANIFEST, head, last)
    if word == "blobs":
        return _target(Kind.BLOB, head, last)
    if word == "referrers":
        return _target(Kind.REFERRERS, head, last)
    if word == "uploads" and head.endswith("/blobs"):
        return _target(Kind.UPLOAD, head[:-6], last)
    return None


def _target(kind: Kind, name: str, argument: str = "") -> Target:
    return Target(kind, RepositoryName.parse(name), argument)
