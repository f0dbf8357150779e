"""Connections: refused, dead, shared, closed, and never in plain text where TLS was asked for."""

import asyncio
import ssl
from pathlib import Path

import pytest

from entrepot.oci.errors import (
    UpstreamFailed,
    UpstreamUnreachable,
)
from entrepot.testing import images
from entrepot.testing.demands import BasicDemand
from entrepot.testing.faults import (
    Gate,
    cut,
    held,
    reset,
)
from entrepot.testing.upstreams import TestUpstream
from entrepot.upstream.client import Limits
from tests.programs import need
from tests.real.processes import run
from tests.unit.upstream.authorities import make_authority, server_context
from tests.unit.upstream.conftest import NAME, TAG, Connect, Question, read_blob


async def test_nobody_there(connect: Connect, question: Question) -> None:
    """Where nothing listens, nothing can be reached."""
    with pytest.raises(UpstreamUnreachable):
        await question(connect(url="http://127.0.0.1:1"))


async def test_no_such_host(connect: Connect, question: Question) -> None:
    """A name that does not resolve can not be reached."""
    with pytest.raises(UpstreamUnreachable):
        await question(connect(url="http://no-such-host.invalid"))


async def test_down_and_up_again(upstream: TestUpstream, connect: Connect) -> None:
    """A client that found the upstream down finds it up again by itself."""
    expected = upstream.add_image(NAME, TAG, images.image())
    client = connect()
    await client.resolve(NAME, TAG)
    await upstream.stop()
    with pytest.raises(UpstreamUnreachable):
        await client.resolve(NAME, TAG)
    await upstream.start()

    assert await client.resolve(NAME, TAG) == expected


async def test_a_dead_connection_is_replaced_once(upstream: TestUpstream, connect: Connect) -> None:
    """When a kept connection dies under a request, the request is sent once more, and only once."""
    expected = upstream.add_image(NAME, TAG, images.image())
    client = connect()
    await client.resolve(NAME, TAG)
    for fault in (reset(), cut()):
        upstream.behave()
        rule = upstream.misbehave(fault, times=1)
        assert await client.resolve(NAME, TAG) == expected
        assert rule.met == 1
    upstream.behave()
    rule = upstream.misbehave(reset())
    with pytest.raises(UpstreamUnreachable):
        await client.resolve(NAME, TAG)
    assert rule.met == 2


async def test_closing_ends_what_is_under_way(upstream: TestUpstream, connect: Connect) -> None:
    """Closing the client ends questions that wait for an answer, as unreachable."""
    gate = Gate()
    upstream.misbehave(held(-1, gate))
    client = connect()
    waiting = asyncio.ensure_future(client.resolve(NAME, TAG))
    await gate.reached()
    await client.close()
    with pytest.raises(UpstreamUnreachable):
        await waiting


async def test_blobs_do_not_hold_up_metadata(upstream: TestUpstream, connect: Connect) -> None:
    """When all blob connections are taken, tags are still resolved; a further blob waits, then is refused."""
    expected = upstream.add_image(NAME, TAG, images.image())
    digest = upstream.add_blob(NAME, bytes(64 * 1024 * 1024))
    client = connect(limits=Limits(idle=2, blob_connections=2))
    async with client.blob(NAME, digest), client.blob(NAME, digest):  # nobody reads them, so that they do not end
        with pytest.raises(UpstreamUnreachable):
            await read_blob(client, digest)
        assert await client.resolve(NAME, TAG) == expected


async def test_a_reader_may_take_its_time(upstream: TestUpstream, connect: Connect) -> None:
    """The idle time is the upstream's: a download whose reader pauses for longer than that goes on."""
    size = 64 * 1024 * 1024
    digest = upstream.add_blob(NAME, bytes(size))
    async with connect(limits=Limits(idle=2)).blob(NAME, digest) as download:
        first = len(await anext(download.chunks))
        await asyncio.sleep(3)
        rest = sum([len(chunk) async for chunk in download.chunks])

    assert first + rest == size


@pytest.fixture(scope="module")
def self_signed(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A certificate for 127.0.0.1 that no authority has signed."""
    directory = tmp_path_factory.mktemp("tls")
    key, certificate = directory / "key.pem", directory / "certificate.pem"
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    name = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    run([need("openssl"), "req", "-x509", *kind, *name, "-keyout", str(key), "-out", str(certificate)])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


async def test_a_certificate_that_nobody_vouches_for(
    connect: Connect, question: Question, self_signed: ssl.SSLContext
) -> None:
    """An upstream whose certificate is not trusted is asked nothing, and there is no way back to plain text."""
    async with TestUpstream(BasicDemand("user", "planted"), tls=self_signed) as upstream:
        with pytest.raises(UpstreamFailed, match="certificate") as refusal:
            await question(connect("user", "planted", url=upstream.url))

        assert refusal.value.status == 502
        assert upstream.origin.requests == []


@pytest.mark.parametrize(("host", "days"), [("IP:127.0.0.1", -1), ("IP:127.0.0.2", 2), ("DNS:localhost", 2)])
async def test_a_certificate_that_is_not_good_for_it(
    connect: Connect, question: Question, tmp_path: Path, host: str, days: int
) -> None:
    """Expired, or for another host, though its authority is trusted: asked nothing, and no way back to plain text."""
    authority = make_authority(tmp_path, "authority")
    tls = server_context(authority.sign("server", host=host, days=days))
    async with TestUpstream(BasicDemand("user", "planted"), tls=tls) as upstream:
        with pytest.raises(UpstreamFailed, match="certificate"):
            await question(connect("user", "planted", url=upstream.url, ca=str(authority.certificate)))

        assert upstream.origin.requests == []


async def test_a_handshake_that_never_ends(connect: Connect, question: Question) -> None:
    """It is given up in the time for a connection; nothing was sent but the beginning of TLS."""
    received = bytearray()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(4096):
            received.extend(piece)
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        client = connect("user", "planted", url=f"https://127.0.0.1:{port}", limits=Limits(connect=0.5, pauses=()))
        with pytest.raises(UpstreamFailed):
            await question(client)

    assert received
    assert b"planted" not in received


async def test_no_tls_at_all(upstream: TestUpstream, connect: Connect, question: Question) -> None:
    """An https upstream that talks plain text, or nothing, is asked nothing in plain text."""
    remoteurl = upstream.url.replace("http://", "https://")
    with pytest.raises(UpstreamFailed):
        await question(connect("user", "planted", url=remoteurl, limits=Limits(connect=0.5)))

    assert b"HTTP" not in upstream.origin.received
    assert b"planted" not in upstream.origin.received
