"""Hits of a mirror: what can be answered without asking its upstream, noted as used and counted.

May be called in any thread. A tag that has to be confirmed takes waiting, and is no hit.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from entrepot.content import Blob, Manifest, Select
from entrepot.mirror.caching import CachingRegistry
from entrepot.oci.descriptor import Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName, Tag
from entrepot.registry import Hit, Hits, Parts

T = TypeVar("T")


def _always() -> bool:
    return True


class MirrorHits:
    """Other `Hits`, less those by tags that are not fresh, and of blobs that are damaged."""

    def __init__(self, inner: Hits, mirror: CachingRegistry) -> None:
        self._inner = inner
        self._is_local = mirror.namespaces.is_local
        self._tags = mirror.tags
        self._is_whole = mirror.wholeness.is_whole
        self._ledger = mirror.ledger
        self._meter = mirror.meter

    def manifest(self, name: RepositoryName, reference: Tag | Digest) -> Hit[Manifest] | None:
        if self._is_local(name):
            return self._inner.manifest(name, reference)
        confirmed: Callable[[], bool] = _always
        if not isinstance(reference, Digest):
            confirmed = partial(self._tags.is_fresh, name, reference)
            if not confirmed():
                return None
        hit = self._inner.manifest(name, reference)
        if hit is None:
            return None
        note = partial(self._note, name, hit.value.digest, "manifest", len(hit.value.content))
        return _noted(hit, note, confirmed)

    def stat_blob(self, name: RepositoryName, digest: Digest) -> Hit[Descriptor] | None:
        hit = self._inner.stat_blob(name, digest)
        if hit is None or self._is_local(name):
            return hit
        if not self._is_whole(digest, hit.value.size):
            return None
        return _noted(hit, partial(self._note, name, digest, "blob", 0))

    def blob(self, name: RepositoryName, digest: Digest, select: Select | None = None) -> Hit[Blob] | None:
        hit = self._inner.blob(name, digest, select)
        if hit is None or self._is_local(name):
            return hit
        blob = hit.value
        if not self._is_whole(digest, blob.descriptor.size):
            return None
        size = blob.descriptor.size if blob.span is None else len(blob.span)
        return _noted(hit, partial(self._note, name, digest, "blob", size))

    def parts(self, name: RepositoryName, digest: Digest) -> Hit[Parts] | None:
        hit = self._inner.parts(name, digest)
        if hit is None or self._is_local(name):
            return hit
        return Hit(partial(self._part, name, digest, hit.value), hit.stands)

    def _part(self, name: RepositoryName, digest: Digest, read: Parts, select: Select) -> Blob | None:
        blob = read(select)
        if blob is None or blob.span is None or not self._is_whole(digest, blob.descriptor.size):
            return None
        self._note(name, digest, "blob", len(blob.span))
        return blob

    def _note(self, name: RepositoryName, digest: Digest, kind: str, size: int) -> None:
        self._ledger.used(name, digest)
        self._meter.served(kind, "hit", size)


def _noted(hit: Hit[T], note: Callable[[], None], confirmed: Callable[[], bool] = _always) -> Hit[T]:
    stands = hit.stands

    def still_stands() -> bool:
        # Asked each time before the answer is given again, so that every use is noted.
        if stands() and confirmed():
            note()
            return True
        return False

    note()
    return Hit(hit.value, still_stands)
