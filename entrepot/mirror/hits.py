"""Hits of a mirror: what is named by digest. A tag has to be confirmed by the upstream, which takes waiting."""

from __future__ import annotations

from entrepot.content import Blob, Manifest, Select
from entrepot.oci.descriptor import Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName, Tag
from entrepot.registry import Hit, Hits


class DigestHits:
    """Other `Hits`, less those by tag."""

    def __init__(self, inner: Hits) -> None:
        self._inner = inner

    def manifest(self, name: RepositoryName, reference: Tag | Digest) -> Hit[Manifest] | None:
        return self._inner.manifest(name, reference) if isinstance(reference, Digest) else None

    def stat_blob(self, name: RepositoryName, digest: Digest) -> Hit[Descriptor] | None:
        return self._inner.stat_blob(name, digest)

    def blob(self, name: RepositoryName, digest: Digest, select: Select | None = None) -> Hit[Blob] | None:
        return self._inner.blob(name, digest, select)
