"""A ledger in memory, for tests that need one and no database."""

from __future__ import annotations

import time
from collections.abc import Callable

from entrepot.content import Manifest
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import references
from entrepot.oci.names import RepositoryName, Tag


class MemoryLedger:
    """A `Ledger` that shows what was noted."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self.uses: list[tuple[RepositoryName, Digest]] = []
        self.kept: dict[tuple[RepositoryName, Digest], int] = {}
        self.confirmations: dict[tuple[RepositoryName, Tag], float] = {}
        self.sizes: dict[tuple[RepositoryName, Digest], int] = {}

    def used(self, name: RepositoryName, digest: Digest) -> None:
        self.uses.append((name, digest))

    def kept_blob(self, name: RepositoryName, digest: Digest, size: int) -> None:
        self.kept[name, digest] = size

    def kept_manifest(self, name: RepositoryName, manifest: Manifest) -> None:
        self.kept[name, manifest.digest] = len(manifest.content)
        self.sizes |= {(name, descriptor.digest): descriptor.size for descriptor in references(manifest.parsed)}

    def confirmed(self, name: RepositoryName, tag: Tag, digest: Digest) -> None:
        self.confirmations[name, tag] = self._now()

    def confirmed_at(self, name: RepositoryName, tag: Tag) -> float | None:
        return self.confirmations.get((name, tag))

    def kept_size(self, digest: Digest) -> int | None:
        return next((size for (_, kept), size in self.kept.items() if kept == digest), None)

    def size_of(self, name: RepositoryName, digest: Digest) -> int | None:
        return self.sizes.get((name, digest))
