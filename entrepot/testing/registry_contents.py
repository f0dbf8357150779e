"""Pushing to and reading from a registry through its ports, without HTTP: what its tests do all the time."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import assert_never

from entrepot.content import Blob, Body, Bytes, GrowingFile, LocalFile, Redirect, Stream
from entrepot.oci.descriptor import Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.names import Tag
from entrepot.registry import WritableRepository
from entrepot.testing.images import SampleManifest
from entrepot.wire.ranges import Span


async def chunks(*pieces: bytes) -> AsyncIterator[bytes]:
    """The pieces as a request's body brings them."""
    for piece in pieces:
        yield piece


async def upload(repository: WritableRepository, content: bytes, algorithm: str = "sha256") -> Descriptor:
    """Push a blob in one go."""
    session = await repository.start_upload(algorithm)
    return await session.commit(Digest.of(content, algorithm), chunks(content), 0, len(content))


async def push(repository: WritableRepository, manifest: SampleManifest, *tags: str) -> Digest:
    """Push a manifest after all that it needs, and point `tags` at it."""
    for blob in manifest.all_blobs():
        await upload(repository, blob.content, blob.algorithm)
    for one in manifest.in_push_order():
        await repository.put_manifest(one.content, one.media_type, Digest.parse(one.digest), ())
    for tag in tags:
        await repository.put_manifest(manifest.content, manifest.media_type, Tag.parse(tag), ())
    return Digest.parse(manifest.digest)


async def read_blob(blob: Blob) -> bytes:
    """All bytes of a blob's answer; fewer than promised is a failure, as it is for the server."""
    content = await read_body(blob.body)
    assert len(content) == (blob.descriptor.size if blob.span is None else len(blob.span))
    return content


async def read_body(body: Body) -> bytes:
    """The bytes that a body describes; of a stream those that came."""
    match body:
        case Bytes(content):
            return content
        case LocalFile(path, span):
            return _read_file(path, span)
        case Stream(pieces):
            try:
                return b"".join([bytes(piece) async for piece in pieces])
            finally:
                await pieces.aclose()
        case GrowingFile(descriptor, pieces):
            try:
                return b"".join([_read_piece(descriptor, piece) async for piece in pieces])
            finally:
                await pieces.aclose()
        case Redirect(url):
            raise AssertionError(f"redirected to {url}")
        case _:
            assert_never(body)


def _read_piece(descriptor: int, piece: Span | memoryview) -> bytes:
    return os.pread(descriptor, len(piece), piece.start) if isinstance(piece, Span) else bytes(piece)


def _read_file(path: str, span: Span | None) -> bytes:
    with open(path, "rb") as file:
        content = file.read()
    return content if span is None else content[span.start : span.stop]
