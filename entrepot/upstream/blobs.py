"""Blobs of an upstream: their sizes, and their bytes from anywhere on. Verifying them is for the reader."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

from entrepot.oci.digest import Digest
from entrepot.oci.errors import BlobUnknown, UpstreamFailed
from entrepot.oci.names import RepositoryName
from entrepot.upstream.base import Download
from entrepot.upstream.headers import parse_served_range, parse_unserved_range
from entrepot.upstream.manifests import NO_HEAD
from entrepot.upstream.questions import Questions
from entrepot.upstream.reply import Reply


async def stat_blob(questions: Questions, name: RepositoryName, digest: Digest) -> int:
    """As an Upstream's."""
    async with questions.ask("HEAD", name, questions.url(name, f"blobs/{digest}")) as reply:
        if reply.head.status == 200 and reply.length is not None:
            reply.require_plain()
            return reply.length
        # A signed URL may be good for GET only, so a refusal from there says nothing.
        if questions.is_own(reply.head) and reply.head.status not in (200, *NO_HEAD):
            raise questions.refusal(reply.head, BlobUnknown(digest))
    return await _stat_by_get(questions, name, digest)


async def _stat_by_get(questions: Questions, name: RepositoryName, digest: Digest) -> int:
    url = questions.url(name, f"blobs/{digest}")
    async with questions.ask("GET", name, url, ("Range", "bytes=0-0")) as reply:
        match reply.head.status:
            case 200:
                reply.require_plain()
                size = reply.length
            case 206:
                size = (parse_served_range(reply.head.header("Content-Range")) or (None, None))[1]
            case 416:
                size = parse_unserved_range(reply.head.header("Content-Range"))
            case _:
                raise questions.refusal(reply.head, BlobUnknown(digest))
    if size is None:
        raise UpstreamFailed("the upstream does not tell the blob's size")
    return size


@asynccontextmanager
async def open_blob(questions: Questions, name: RepositoryName, digest: Digest, start: int) -> AsyncIterator[Download]:
    """As an Upstream's `blob`."""
    # Always from the registry itself, never from where it redirected to before: what was signed may have expired.
    headers = (("Range", f"bytes={start}-"),) if start else ()
    async with questions.download(name, questions.url(name, f"blobs/{digest}"), *headers) as reply:
        if reply.head.status not in ((200, 206) if start else (200,)):
            raise questions.refusal(reply.head, BlobUnknown(digest))
        reply.require_plain()
        is_whole = reply.head.status == 200
        size = _whole_size(reply, start) if is_whole else _served_size(reply, start)
        async with aclosing(reply.chunks()) as arriving, aclosing(_after(arriving, start if is_whole else 0)) as chunks:
            yield Download(size, chunks)


def _whole_size(reply: Reply, start: int) -> int | None:
    if reply.length is not None and reply.length < start:
        raise UpstreamFailed("the upstream has less of the blob than was there before")
    return reply.length


def _served_size(reply: Reply, start: int) -> int | None:
    served = parse_served_range(reply.head.header("Content-Range"))
    if served is None or served[0].start != start or reply.length not in (None, len(served[0])):
        raise UpstreamFailed("the upstream sent another part of the blob than was asked for")
    return served[1]


async def _after(chunks: AsyncGenerator[memoryview, None], count: int) -> AsyncGenerator[memoryview, None]:
    """All but the first `count` bytes: of an upstream that sends the whole to whoever asks for a part."""
    async for chunk in chunks:
        if count < len(chunk):
            yield chunk[count:] if count else chunk
        count = max(0, count - len(chunk))
    if count:
        raise UpstreamFailed("the upstream has less of the blob than was there before")
