"""Authorities beside the system's, client certificates and proxies: what works, and how a wrong one is told."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from entrepot.oci.errors import UpstreamFailed
from entrepot.testing import images
from entrepot.testing.demands import BasicDemand
from entrepot.testing.upstreams import TestUpstream
from entrepot.upstream.route import Route
from tests.http.certificates import encrypt
from tests.unit.upstream.authorities import Authority, make_authority, server_context
from tests.unit.upstream.conftest import NAME, TAG, Connect, Question, read_blob


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that only who is told so trusts."""
    return make_authority(tmp_path_factory.mktemp("authority"), "authority")


@pytest.fixture(scope="module")
def server(authority: Authority) -> Path:
    """The certificate and key of an upstream."""
    return authority.sign("server")


@pytest.fixture
async def secured(server: Path) -> AsyncIterator[TestUpstream]:
    """An upstream whose certificate the authority signed."""
    async with TestUpstream(tls=server_context(server)) as upstream:
        yield upstream


async def test_an_authority_of_ones_own(secured: TestUpstream, connect: Connect, authority: Authority) -> None:
    """A certificate signed by an authority of the file is trusted, for metadata and blobs."""
    expected, digest = secured.add_image(NAME, TAG, images.image()), secured.add_blob(NAME, b"content")
    client = connect(url=secured.url, ca=str(authority.certificate))

    assert await client.resolve(NAME, TAG) == expected
    assert await read_blob(client, digest) == b"content"


async def test_several_authorities_in_one_file(
    secured: TestUpstream, connect: Connect, authority: Authority, tmp_path: Path
) -> None:
    """All certificates of a file count, whatever is written between them."""
    other = make_authority(tmp_path, "other")
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(f"# one\n{other.certificate.read_text()}\n# two\n{authority.certificate.read_text()}")
    expected = secured.add_image(NAME, TAG, images.image())

    assert await connect(url=secured.url, ca=str(bundle)).resolve(NAME, TAG) == expected


async def test_another_authority(secured: TestUpstream, connect: Connect, question: Question, tmp_path: Path) -> None:
    """An authority that has not signed it helps nothing: asked nothing, and no way back to plain text."""
    other = make_authority(tmp_path, "other")
    with pytest.raises(UpstreamFailed, match="certificate"):
        await question(connect("user", "planted", url=secured.url, ca=str(other.certificate)))

    assert secured.origin.requests == []


async def test_client_certificate(connect: Connect, authority: Authority, server: Path) -> None:
    """An upstream that wants a certificate of its clients is shown ours, and refuses those without."""
    async with TestUpstream(tls=server_context(server, authority)) as upstream:
        expected, ours = upstream.add_image(NAME, TAG, images.image()), authority.sign("mirror")
        ca = str(authority.certificate)
        assert await connect(url=upstream.url, ca=ca, clientcert=str(ours)).resolve(NAME, TAG) == expected
        with pytest.raises(UpstreamFailed):
            await connect(url=upstream.url, ca=ca).resolve(NAME, TAG)

        assert len(upstream.origin.requests) == 1


def test_files_that_are_no_good(authority: Authority, server: Path, tmp_path: Path) -> None:
    """Each is told at once, with the setting and the path, and without its content."""
    empty, planted, broken = (tmp_path / name for name in ("empty", "planted", "broken"))
    empty.touch()
    planted.write_text("planted")
    broken.write_text("-----BEGIN CERTIFICATE-----\nplanted\n-----END CERTIFICATE-----\n")
    mixed, locked = tmp_path / "mixed", tmp_path / "locked"
    mixed.write_bytes(server.read_bytes().partition(b"-----BEGIN PRIVATE")[0] + authority.key.read_bytes())
    encrypted = encrypt(authority.key, tmp_path / "encrypted")
    locked.write_bytes(authority.certificate.read_bytes() + encrypted.read_bytes())
    missing = tmp_path / "missing"
    for setting, paths in {
        "ca": (missing, tmp_path, empty, planted, broken, authority.key),
        "clientcert": (missing, tmp_path, empty, planted, broken, authority.certificate, mixed, locked),
    }.items():
        for path in paths:
            with pytest.raises(ValueError, match=f"^{setting}: .*{path}") as refusal:
                Route.read(**{setting: str(path)})
            assert "planted" not in str(refusal.value).replace(str(path), "")


async def test_proxy(upstream: TestUpstream, connect: Connect) -> None:
    """With a proxy everything is asked of it, with its password, which the upstream does not get to see as its own."""
    expected = upstream.add_image(NAME, TAG, images.image())
    digest = upstream.add_blob(NAME, b"content")
    proxyurl = upstream.url.replace("http://", "http://user:planted@")
    client = connect(url="http://registry.example", proxyurl=proxyurl)

    assert await client.resolve(NAME, TAG) == expected
    assert await read_blob(client, digest) == b"content"
    for seen in upstream.origin.requests:
        assert seen.target.startswith("http://registry.example/v2/")
        assert seen.headers["proxy-authorization"] == "Basic " + base64.b64encode(b"user:planted").decode()
        assert "authorization" not in seen.headers


class Tunnels:
    """A proxy for HTTPS: connects each client through to `port`, whatever host it names, and keeps what it was told."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.heads: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, both ways, until either side ends it."""
        self.heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        ways = (self._carry(reader, far_writer), self._carry(far_reader, writer))
        await asyncio.gather(*ways)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while piece := await reader.read(65536):
                writer.write(piece)
                await writer.drain()
        writer.close()


async def test_proxy_for_https(connect: Connect, authority: Authority, server: Path) -> None:
    """HTTPS goes through the proxy, which sees its own password and nothing of ours for the upstream."""
    demand = BasicDemand("user", "planted")
    async with TestUpstream(demand, tls=server_context(server)) as upstream:
        expected, tunnels = upstream.add_image(NAME, TAG, images.image()), Tunnels(upstream.origin.port)
        listener = await asyncio.start_server(tunnels.serve, "127.0.0.1", 0)
        async with listener:
            proxyurl = f"http://proxy:secret@127.0.0.1:{listener.sockets[0].getsockname()[1]}"
            client = connect(
                "user", "planted", url="https://127.0.0.1:4443", proxyurl=proxyurl, ca=str(authority.certificate)
            )
            assert await client.resolve(NAME, TAG) == expected
            await client.close()

        assert tunnels.heads[0].startswith(b"CONNECT 127.0.0.1:4443 HTTP/1.1\r\n")
        assert base64.b64encode(b"proxy:secret") in tunnels.heads[0]
        assert b"secret" not in upstream.origin.received
        assert base64.b64encode(b"proxy:secret") not in upstream.origin.received


@pytest.mark.parametrize("proxyurl", ["planted", "ftp://user:planted@proxy.example", "http://", "socks5://planted:1"])
def test_what_is_no_proxy(proxyurl: str) -> None:
    """It is told at once, without the URL, which may hold a password."""
    with pytest.raises(ValueError, match=r"^proxyurl: ") as refusal:
        Route.read(proxyurl=proxyurl)

    assert "planted" not in str(refusal.value)


def test_secrets_are_not_shown(authority: Authority) -> None:
    """Neither repr nor str shows the proxy's password or our key."""
    route = Route.read(clientcert=str(authority.sign("shown")), proxyurl="http://user:planted@proxy.example")

    assert "planted" not in f"{route!r} {route}"
    assert "PRIVATE KEY" not in f"{route!r} {route}"
