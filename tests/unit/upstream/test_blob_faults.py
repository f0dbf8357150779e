"""What becomes of a blob that breaks off, stalls, or comes from elsewhere than asked."""

import os

import pytest

from entrepot.oci.errors import (
    UpstreamFailed,
)
from entrepot.testing.faults import (
    Fault,
    Gate,
    added_header,
    chunked,
    cut,
    dripping,
    header,
    held,
    lying_length,
    raw,
    reset,
    status,
)
from entrepot.testing.upstreams import CDN_PATH, TestUpstream
from entrepot.upstream.base import BrokeOff
from entrepot.upstream.client import Limits
from tests.unit.upstream.conftest import IMPATIENT, NAME, Connect, read_blob, read_into

SIZE = 200_000


@pytest.mark.parametrize(
    "fault", [cut(1000), reset(1000), held(1000), lying_length(SIZE + 1), lambda r: cut(1000)(chunked()(r))]
)
async def test_blob_breaks_off(upstream: TestUpstream, connect: Connect, fault: Fault) -> None:
    """A blob that is cut, reset, stalls or is shorter than announced ends in an error, never as if it were whole."""
    digest = upstream.add_blob(NAME, os.urandom(SIZE))
    upstream.misbehave(fault)
    with pytest.raises(BrokeOff):
        await read_blob(connect(limits=IMPATIENT), digest)


async def test_going_on_where_it_broke_off(upstream: TestUpstream, connect: Connect) -> None:
    """What came before an answer broke off is right, and the rest can be asked for."""
    content = os.urandom(SIZE)
    digest = upstream.add_blob(NAME, content)
    upstream.misbehave(cut(70_000), times=1)
    client, received = connect(), bytearray()
    with pytest.raises(BrokeOff):
        await read_into(received, client, digest)

    assert bytes(received) == content[: len(received)]
    await read_into(received, client, digest)
    assert bytes(received) == content


async def test_a_signature_that_expired_meanwhile(upstream: TestUpstream, connect: Connect) -> None:
    """Going on begins at the registry itself, which signs anew: that the old signature expired does not matter."""
    content = os.urandom(SIZE)
    digest = upstream.add_blob(NAME, content)
    upstream.redirects_blobs = True
    client = connect()
    first = await read_blob(client, digest)
    upstream.expire_signatures()

    assert first[:1000] + await read_blob(client, digest, 1000) == content
    assert len({seen.target for seen in upstream.cdn.requests}) == 2


async def test_a_drip_below_the_slowest_rate(upstream: TestUpstream, connect: Connect) -> None:
    """Bytes that come in time, but too few of them, are taken for a stall."""
    digest = upstream.add_blob(NAME, bytes(SIZE))
    upstream.misbehave(dripping(1, 0.05))
    with pytest.raises(BrokeOff):
        await read_blob(connect(limits=Limits(idle=3.0, slowest=1024)), digest)

    assert upstream.bytes_sent() < 1024


async def test_blob_cut_exactly_at_its_head(upstream: TestUpstream, connect: Connect) -> None:
    """A connection that ends right behind the head is an error of the body, known before the first byte."""
    digest = upstream.add_blob(NAME, b"content")
    upstream.misbehave(cut(0))
    async with connect().blob(NAME, digest) as download:
        assert download.size == 7
        with pytest.raises(UpstreamFailed):
            await anext(download.chunks)


async def test_head_is_known_before_the_body(upstream: TestUpstream, connect: Connect) -> None:
    """The size is told as soon as the head has come, and bytes as they come, however few."""
    gate = Gate()
    digest = upstream.add_blob(NAME, b"content")
    upstream.misbehave(held(3, gate))
    async with connect().blob(NAME, digest) as download:
        assert download.size == 7
        assert bytes(await anext(download.chunks)) == b"con"
        await gate.reached()
        gate.open()
        assert bytes(await anext(download.chunks)) == b"tent"


async def test_a_drip_is_no_stall(upstream: TestUpstream, connect: Connect) -> None:
    """Bytes that come slowly, each within the idle time, make a blob."""
    digest = upstream.add_blob(NAME, b"content")
    upstream.misbehave(dripping(1, 0.02))

    assert await read_blob(connect(limits=Limits(idle=10)), digest) == b"content"


@pytest.mark.parametrize(
    "fault",
    [
        header("Content-Range", None),
        header("Content-Range", "junk"),
        header("Content-Range", "bytes 0-99/200000"),
        header("Content-Range", "bytes 101-199999/200000"),
        header("Content-Range", "bytes 100-199998/200000"),
        header("Content-Range", "bytes 100-199999/100"),
        added_header("Content-Range", "bytes 100-199999/200000"),
        status(200, b"all of it"),
        status(416, Content_Range="bytes */200000"),
        header("Content-Encoding", "gzip"),
    ],
)
async def test_never_from_elsewhere(upstream: TestUpstream, connect: Connect, fault: Fault) -> None:
    """A blob that is not resumed exactly where it was asked to is refused before its first byte."""
    digest = upstream.add_blob(NAME, bytes(SIZE))
    upstream.misbehave(fault)
    with pytest.raises(UpstreamFailed):
        await read_blob(connect(), digest, 100)


async def test_upstream_without_ranges(upstream: TestUpstream, connect: Connect) -> None:
    """Where the whole comes though a part was asked for, what is before the part is dropped."""
    content = os.urandom(SIZE)
    digest = upstream.add_blob(NAME, content)
    upstream.answers_ranges = False
    for start in (1, 100, 70_000, SIZE - 1, SIZE):
        async with connect().blob(NAME, digest, start) as download:
            assert download.size == SIZE
            assert b"".join([bytes(chunk) async for chunk in download.chunks]) == content[start:]


async def test_upstream_without_ranges_has_less(upstream: TestUpstream, connect: Connect) -> None:
    """Where the whole is shorter than what was there before, it is no part of it, with and without a length."""
    digest = upstream.add_blob(NAME, bytes(1000))
    upstream.answers_ranges = False
    for fault in (chunked(), lambda reply: reply):
        upstream.misbehave(fault, times=1)
        with pytest.raises(UpstreamFailed, match="less of the blob"):
            await read_blob(connect(), digest, 1001)


async def test_encoded_blob(upstream: TestUpstream, connect: Connect) -> None:
    """A blob in an encoding that nobody asked for is refused: its bytes are not the digest's."""
    digest = upstream.add_blob(NAME, b"content")
    upstream.misbehave(header("Content-Encoding", "gzip"))
    for asking in (read_blob(connect(), digest), connect().stat_blob(NAME, digest)):
        with pytest.raises(UpstreamFailed):
            await asking


async def test_length_and_chunks_contradict(upstream: TestUpstream, connect: Connect) -> None:
    """Where chunks contradict a Content-Length, the length is not believed."""
    digest = upstream.add_blob(NAME, b"content")
    upstream.misbehave(lambda reply: chunked()(lying_length(5)(reply)))
    async with connect().blob(NAME, digest) as download:
        assert download.size is None


async def test_size_that_nobody_tells(upstream: TestUpstream, connect: Connect) -> None:
    """A blob whose size no answer tells can not be measured."""
    digest = upstream.add_blob(NAME, b"content")
    upstream.answers_ranges = False
    upstream.misbehave(chunked())
    with pytest.raises(UpstreamFailed):
        await connect().stat_blob(NAME, digest)


async def test_interim_answers(upstream: TestUpstream, connect: Connect) -> None:
    """Answers before the answer, HTTP/1.0 and trailers are read as what they are."""
    digest = upstream.add_blob(NAME, b"content")
    for answer in (
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\ncontent",
        b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nConnection: close\r\n\r\ncontent",
        b"HTTP/1.0 200 OK\r\n\r\ncontent",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\ncontent\r\n0\r\nContent-Length: 5\r\n\r\n",
    ):
        upstream.behave()
        upstream.misbehave(raw(answer))

        assert await read_blob(connect(), digest) == b"content"


async def test_leaving_ends_the_download(upstream: TestUpstream, connect: Connect) -> None:
    """Who leaves a download in the middle is not sent the rest, and the connection is not used for anything else."""
    size = 64 * 1024 * 1024
    digest = upstream.add_blob(NAME, bytes(size))
    client = connect()
    async with client.blob(NAME, digest) as download:
        await anext(download.chunks)

    assert len(await read_blob(client, digest)) == size
    assert upstream.origin.connections == 2
    assert upstream.bytes_sent() < 2 * size


async def test_errors_of_the_reader_pass_through(upstream: TestUpstream, connect: Connect) -> None:
    """What goes wrong inside a download's context is not taken for the upstream's doing, not even a TimeoutError."""
    digest = upstream.add_blob(NAME, b"content")
    for error in (TimeoutError("mine"), ValueError("mine"), OSError("mine")):
        with pytest.raises(type(error), match="mine"):
            async with connect().blob(NAME, digest):
                raise error


@pytest.mark.parametrize("code", [401, 403, 501])
async def test_refused_where_a_redirect_led(upstream: TestUpstream, connect: Connect, code: int) -> None:
    """A refusal by another origin, such as an expired signature, is no word of the upstream: 502, no credentials."""
    digest = upstream.add_blob(NAME, b"content")
    upstream.redirects_blobs = True
    upstream.misbehave(status(code, WWW_Authenticate='Basic realm="x"'), path=CDN_PATH)
    with pytest.raises(UpstreamFailed) as refusal:
        await read_blob(connect("user", "password"), digest)

    assert refusal.type is UpstreamFailed
    assert len(upstream.cdn.requests) == 1
