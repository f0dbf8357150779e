"""PORT. Whoever is told what has happened to repositories, and by whose request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from entrepot.oci.descriptor import Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName, Tag

PULL, PUSH, MOUNT, DELETE = "pull", "push", "mount", "delete"


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One thing that happened to a blob, a manifest or a tag of the repository `name`.

    `media_type` and `size` are unknown of what was deleted, and `digest` of a tag that was. `source` is where a mount
    came from, `references` is what a manifest names, `url` where the content is to be had.
    """

    action: str
    name: RepositoryName
    digest: Digest | None = None
    media_type: str = ""
    size: int = 0
    tag: Tag | None = None
    source: RepositoryName | None = None
    references: Sequence[Descriptor] = ()
    url: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """The request that made it happen.

    `id` is the one in log lines. `client` is an address, with its port where it is the peer's own.
    """

    id: str
    client: str
    host: str
    method: str
    agent: str
    user: str


class Listener(Protocol):
    """Is told after the work, and before the client has its answer."""

    async def tell(self, occurrences: Sequence[Occurrence], asked: Asked) -> None:
        """Returns once it is sure that what was written or deleted will be told on. Raises nothing."""
