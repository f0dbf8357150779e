"""Hits that need no waiting: content that memory or the kernel holds, confirmed by the store when it is asked for.

What cannot be told at once is told as None, and asked for again in the ordinary way. May be called in any thread.
"""

from __future__ import annotations

from functools import partial

from entrepot.content import Blob, Body, Bytes, LocalFile, Manifest, Select
from entrepot.driver import LocalPaths, Resident, Seen
from entrepot.oci.descriptor import OCTET_STREAM, Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.errors import DigestInvalid
from entrepot.oci.names import RepositoryName, Tag
from entrepot.registry import Hit, Parts
from entrepot.storage import layout
from entrepot.storage.blobs import SMALL, is_hollow, small_blob
from entrepot.storage.links import parse_link
from entrepot.storage.manifests import Manifests
from entrepot.wire.ranges import Span

_LARGEST_COPY = 1024 * 1024
"""Bytes; up to here a copy costs less than handing the file to the server's threads, and little memory."""


class LocalHits:
    """The `Hits` of a registry whose driver keeps small files at hand, and whose large ones are `local` files."""

    def __init__(self, resident: Resident, local: LocalPaths, manifests: Manifests) -> None:
        self._resident = resident
        self._local = local
        self._manifests = manifests

    def manifest(self, name: RepositoryName, reference: Tag | Digest) -> Hit[Manifest] | None:
        if isinstance(reference, Digest):
            return self._revision(name, reference, ())
        tag = self._resident.at_once(layout.tag_current(name, reference))
        digest = _target(tag)
        return None if tag is None or digest is None else self._revision(name, digest, (tag,))

    def _revision(self, name: RepositoryName, digest: Digest, before: tuple[Seen, ...]) -> Hit[Manifest] | None:
        link = self._resident.at_once(layout.revision_link(name, digest))
        if link is None or _target(link) != digest:
            return None
        data, known = self._resident.at_once(layout.blob_data(digest)), self._manifests.known(digest)
        if data is None or known is None or known.content != data.content:
            return None
        return Hit(known, partial(_all_stand, (*before, link, data)))

    def stat_blob(self, name: RepositoryName, digest: Digest) -> Hit[Descriptor] | None:
        files = self._readable(name, digest)
        return None if files is None else Hit(_descriptor(digest, files[1]), partial(_all_stand, files))

    def blob(self, name: RepositoryName, digest: Digest, select: Select | None = None) -> Hit[Blob] | None:
        files = self._readable(name, digest)
        blob = None if files is None else self._blob(digest, files[1], select)
        return None if files is None or blob is None else Hit(blob, partial(_all_stand, files))

    def parts(self, name: RepositoryName, digest: Digest) -> Hit[Parts] | None:
        link = self._link(name, digest)
        return None if link is None else Hit(partial(self._part, digest, layout.blob_data(digest)), link.stands)

    def _part(self, digest: Digest, path: str, select: Select) -> Blob | None:
        # The file is opened anyway: it need not be looked at before.
        part = self._resident.part_at_once(path, partial(_short, select))
        if part is None:
            return None
        return Blob(Descriptor(OCTET_STREAM, digest, part.size), Bytes(part.content), part.span)

    def _readable(self, name: RepositoryName, digest: Digest) -> tuple[Seen, Seen] | None:
        link = self._link(name, digest)
        data = None if link is None else self._resident.at_once(layout.blob_data(digest))
        return None if link is None or data is None or is_hollow(digest, data.size) else (link, data)

    def _link(self, name: RepositoryName, digest: Digest) -> Seen | None:
        link = self._resident.at_once(layout.layer_link(name, digest))
        # An alias, or a link that is damaged, is told apart in the ordinary way.
        return link if _target(link) == digest else None

    def _blob(self, digest: Digest, data: Seen, select: Select | None) -> Blob | None:
        if data.content is not None:
            return small_blob(digest, data.content, select)
        if data.size <= SMALL:  # once read in the ordinary way, it is in memory
            return None
        span = None if select is None else select(data.size)
        return Blob(_descriptor(digest, data), self._body(layout.blob_data(digest), span, data.size), span)

    def _body(self, path: str, span: Span | None, size: int) -> Body:
        if span is None and size <= _LARGEST_COPY:
            part = self._resident.part_at_once(path, partial(Span, 0))
            if part is not None and part.size == size:
                return Bytes(part.content)
        return LocalFile(self._local.local_path(path), span)


def _short(select: Select, size: int) -> Span | None:
    span = select(size)
    return None if span is None or span.stop - span.start > _LARGEST_COPY else span


def _descriptor(digest: Digest, data: Seen) -> Descriptor:
    return Descriptor(OCTET_STREAM, digest, data.size)


def _target(link: Seen | None) -> Digest | None:
    try:
        return None if link is None or link.content is None else parse_link(link.content)
    except DigestInvalid:
        return None


def _all_stand(files: tuple[Seen, ...]) -> bool:
    for file in files:  # noqa: SIM110  # a generator would cost more than the loop
        if not file.stands():
            return False
    return True
