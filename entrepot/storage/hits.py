"""Hits that need no waiting: small content that memory holds, each confirmed by the store when it is asked for.

What cannot be told at once is told as None, and asked for again in the ordinary way. May be called in any thread.
"""

from __future__ import annotations

from entrepot.content import Blob, Bytes, Manifest, Select
from entrepot.driver import Resident
from entrepot.oci.descriptor import OCTET_STREAM, Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.errors import DigestInvalid
from entrepot.oci.names import RepositoryName, Tag
from entrepot.storage import layout
from entrepot.storage.blobs import small_blob
from entrepot.storage.links import parse_link
from entrepot.storage.manifests import Manifests

_LARGEST_PART = 256 * 1024
"""Bytes; up to here a copy costs less than handing the file to the server's threads."""


class LocalHits:
    """The `Hits` of a registry whose driver keeps small files at hand."""

    def __init__(self, resident: Resident, manifests: Manifests) -> None:
        self._resident = resident
        self._manifests = manifests

    def manifest(self, name: RepositoryName, reference: Tag | Digest) -> Manifest | None:
        digest = reference if isinstance(reference, Digest) else self._link(layout.tag_current(name, reference))
        target = None if digest is None else self._link(layout.revision_link(name, digest))
        if target is None or target != digest:
            return None
        known = self._manifests.known(target)
        if known is None or known.content != self._resident.at_once(layout.blob_data(target)):
            return None
        return known

    def blob(self, name: RepositoryName, digest: Digest, select: Select | None = None) -> Blob | None:
        target = self._link(layout.layer_link(name, digest))
        # An alias, or a link that is damaged, is told apart in the ordinary way.
        if target is None or target != digest:
            return None
        path = layout.blob_data(target)
        if select is None:
            content = self._resident.at_once(path)
            return None if content is None else small_blob(target, content, None)
        part = self._resident.part_at_once(path, select, _LARGEST_PART)
        if part is None:
            return None
        return Blob(Descriptor(OCTET_STREAM, target, part.size), Bytes(part.content), part.span)

    def _link(self, path: str) -> Digest | None:
        content = self._resident.at_once(path)
        try:
            return None if content is None else parse_link(content)
        except DigestInvalid:
            return None
