"""PORT. The ledger of a cache: what the layout cannot tell of what is kept, such as when it was last used.

Losing it loses no content: it is made again from the layout. Must not know how it is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol

from entrepot.content import Manifest
from entrepot.oci.descriptor import Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName, Tag


class Kind(StrEnum):
    """What a link makes readable."""

    MANIFEST = "manifest"
    BLOB = "blob"


class Link(NamedTuple):
    """A repository's link to content of `size` bytes, last used at that time, in seconds since the epoch."""

    name: RepositoryName
    digest: Digest
    kind: Kind
    size: int
    used_at: float


class TagLink(NamedTuple):
    """A repository's tag, what it names, and when the upstream last said so."""

    name: RepositoryName
    tag: Tag
    digest: Digest
    confirmed_at: float


@dataclass(frozen=True, slots=True)
class Holdings:
    """Part of what a repository holds; `needs` says of a manifest what it refers to."""

    links: Sequence[Link] = ()
    needs: Mapping[Digest, Sequence[Descriptor]] = field(default_factory=dict)
    tags: Sequence[TagLink] = ()


@dataclass(frozen=True, slots=True)
class Remains:
    """Content that a crash has left: renamed to be evicted, or brought here and perhaps never linked."""

    evicted: Sequence[Digest] = ()
    brought: Sequence[Digest] = ()


class Ledger(Protocol):
    """What a worker notes and asks. No method waits, and those that note may be called in any thread.

    What is noted is kept within seconds, and may be lost with the process: then content counts as used earlier.
    """

    def used(self, name: RepositoryName, digest: Digest) -> None:
        """The repository's manifest or blob was asked for, and given."""

    def kept_blob(self, name: RepositoryName, digest: Digest, size: int) -> None:
        """The repository may read a blob of `size` bytes that came from an upstream."""

    def kept_manifest(self, name: RepositoryName, manifest: Manifest) -> None:
        """The repository holds a manifest that came from an upstream; it needs what the manifest refers to."""

    def confirmed(self, name: RepositoryName, tag: Tag, digest: Digest) -> None:
        """The upstream has just said that the tag names `digest`."""

    def confirmed_at(self, name: RepositoryName, tag: Tag) -> float | None:
        """When that was last said, in seconds since the epoch; None where nobody remembers."""

    def kept_size(self, digest: Digest) -> int | None:
        """The bytes of a blob or manifest when it was kept, its digest verified; None where nobody remembers."""

    def size_of(self, name: RepositoryName, digest: Digest) -> int | None:
        """The bytes of a blob, as a manifest of the repository tells them; None where none does.

        What another repository's manifest tells is not asked: who could write there could spoil the pulls of this one.
        """
