"""What becomes of a manifest that is cut, changed, endless or lied about."""

import gzip

import pytest

from entrepot.oci.descriptor import OCI_MANIFEST
from entrepot.oci.digest import Digest
from entrepot.oci.errors import (
    UpstreamFailed,
)
from entrepot.oci.manifest import MANIFEST_LIMIT
from entrepot.testing import images
from entrepot.testing.faults import (
    Fault,
    body,
    chunked,
    cut,
    endless,
    flipped,
    header,
    held,
    lying_length,
    reset,
    until_close,
)
from entrepot.testing.upstreams import TestUpstream
from tests.unit.upstream.conftest import IMPATIENT, NAME, NOTHING, TAG, Connect


async def test_endless_manifest(upstream: TestUpstream, connect: Connect) -> None:
    """A manifest that never ends is cut off at its bound, and the connection with it."""
    digest = upstream.add_manifest(NAME, b" " * 65_536, OCI_MANIFEST, TAG)
    upstream.misbehave(endless())
    for reference in (digest, TAG):
        with pytest.raises(UpstreamFailed, match="more than"):
            await connect().manifest(NAME, reference)


async def test_huge_manifest(upstream: TestUpstream, connect: Connect) -> None:
    """A manifest is taken up to its bound; one that announces more is not even read."""
    largest = upstream.add_manifest(NAME, b" " * MANIFEST_LIMIT)
    larger = upstream.add_manifest(NAME, b" " * (MANIFEST_LIMIT + 1))
    client = connect()

    assert len((await client.manifest(NAME, largest)).content) == MANIFEST_LIMIT
    upstream.misbehave(held(0))
    with pytest.raises(UpstreamFailed, match="more than"):
        await client.manifest(NAME, larger)


@pytest.mark.parametrize(
    "fault",
    [
        flipped(5),
        body(b""),
        body(b"{}"),
        lying_length(3),
        lying_length(10_000),
        cut(10),
        reset(10),
        held(10),
        lambda reply: cut(10)(chunked()(reply)),
        header("Content-Encoding", "gzip"),
        header("Content-Encoding", "identity, gzip"),
        header("Content-Type", "text/html; charset=utf-8"),
        lambda reply: body(gzip.compress(reply.body))(header("Content-Encoding", "gzip")(reply)),
    ],
)
async def test_manifest_damaged(upstream: TestUpstream, connect: Connect, fault: Fault) -> None:
    """A manifest that is cut, changed or encoded under way is refused, by digest and, where one is named, by tag."""
    digest = upstream.add_image(NAME, TAG, images.image())
    upstream.misbehave(fault, method="GET")
    for reference in (digest, TAG):
        with pytest.raises(UpstreamFailed):
            await connect(limits=IMPATIENT).manifest(NAME, reference)


async def test_a_lie_about_the_digest(upstream: TestUpstream, connect: Connect) -> None:
    """By tag, the digest that an answer names must be its own; by digest, the bytes alone count."""
    digest = upstream.add_image(NAME, TAG, images.image())
    upstream.misbehave(header("Docker-Content-Digest", NOTHING))
    client = connect()
    with pytest.raises(UpstreamFailed, match="digest mismatch"):
        await client.manifest(NAME, TAG)

    assert (await client.manifest(NAME, digest)).content


async def test_sha512(upstream: TestUpstream, connect: Connect) -> None:
    """A manifest asked for by its sha512 digest is verified by that."""
    image = images.image(algorithm="sha512")
    digest = upstream.add_image(NAME, TAG, image)
    client = connect()

    assert await client.resolve(NAME, TAG) == digest
    assert (await client.manifest(NAME, digest)).content == image.content
    upstream.misbehave(flipped(3))
    with pytest.raises(UpstreamFailed):
        await client.manifest(NAME, digest)


async def test_manifest_without_length_or_digest(upstream: TestUpstream, connect: Connect) -> None:
    """Chunks, and a body that ends with the connection, are fine where the digest agrees."""
    digest = upstream.add_image(NAME, TAG, images.image())
    for framing in (chunked(), until_close()):
        upstream.behave()
        upstream.misbehave(framing)

        assert Digest.of((await connect().manifest(NAME, digest)).content) == digest
