"""PORT. The ledger of a cache: what the layout cannot tell of what is kept, such as when it was last used.

Losing it loses no content: it is made again from the layout. Must not know how it is kept.
"""

from __future__ import annotations

from typing import Protocol

from entrepot.content import Manifest
from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName, Tag


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

    def size_of(self, digest: Digest) -> int | None:
        """The bytes of a blob, as a manifest that is kept tells them; None where none does."""
