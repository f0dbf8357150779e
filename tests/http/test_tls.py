"""TLS handshakes that are odd, old, or never end (F-025): refused or given up, and nobody else notices."""

import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.http.certificates import Pair, make_pair
from tests.http.conftest import impatient
from tests.http.processes import await_workers, connections
from tests.http.waiting import wait_until
from tests.http.wire import request
from tests.programs import need
from tests.servers import ANSWER_LIMIT, Server, unverified

HALF_A_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """A certificate and its key."""
    return make_pair(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, pair: Pair) -> Iterator[Server]:
    """A server that speaks TLS and does not wait long for a request."""
    with impatient(tmp_path_factory.mktemp("secure"), {"http": {"tls": pair.settings}}) as server:
        await_workers(server.pid, 2)
        yield server


def ask(server: Server, context: ssl.SSLContext, name: str | None) -> bytes:
    """The beginning of the answer to a request, with `name` for SNI."""
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=ANSWER_LIMIT) as plain,
        context.wrap_socket(plain, server_hostname=name) as wrapped,
    ):
        wrapped.sendall(request("/v2/", "Connection: close"))
        return wrapped.recv(12)


@pytest.mark.parametrize("name", [None, "localhost", "elsewhere.example.com", "127.0.0.1", "a" * 63 + ".example.com"])
def test_name(server: Server, name: str | None) -> None:
    """Whatever name a client asks for, or none, it gets the one certificate there is."""
    assert ask(server, unverified(), name) == b"HTTP/1.1 200"


def test_certificate_is_the_configured_one(server: Server, pair: Pair) -> None:
    """A client that trusts this certificate and nothing else is content."""
    context = ssl.create_default_context(cafile=pair.certificate)

    assert ask(server, context, "localhost") == b"HTTP/1.1 200"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_version(server: Server, version: ssl.TLSVersion) -> None:
    """A client that knows only an old version gets an alert."""
    context = unverified()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = version

    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        ask(server, context, "localhost")


@pytest.mark.parametrize("ciphers", ["AES128-SHA", "ECDHE-RSA-AES128-SHA", "DHE-RSA-AES128-GCM-SHA256"])
def test_old_cipher(server: Server, ciphers: str) -> None:
    """Ciphers without forward secrecy or authenticated encryption are refused."""
    context = unverified()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"{ciphers}:@SECLEVEL=0")

    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        ask(server, context, "localhost")


@pytest.mark.parametrize("greeting", [request("/v2/"), bytes(100), b"\x16\x03\x01\xff\xff" + bytes(70_000)])
def test_no_handshake(server: Server, greeting: bytes) -> None:
    """Bytes that are no handshake end the connection, with an alert or without."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=ANSWER_LIMIT) as plain:
        try:
            plain.sendall(greeting)
            received = plain.recv(100)
        except ConnectionError:
            received = b""

    assert received == b"" or received.startswith(b"\x15\x03")


def test_handshakes_that_never_end(server: Server) -> None:
    """A hundred of them keep nobody from being served; after a while they are closed, with nothing left open."""
    with ExitStack() as stack:
        for number in range(100):
            stalled = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=ANSWER_LIMIT))
            stalled.sendall(HALF_A_HELLO[: number % 10])
        wait_until(lambda: connections(server.pid, server.port) > 0)
        assert ask(server, unverified(), None) == b"HTTP/1.1 200"

        wait_until(lambda: not connections(server.pid, server.port))


@pytest.fixture(scope="module")
def http1_server(tmp_path_factory: pytest.TempPathFactory, pair: Pair) -> Iterator[Server]:
    """The same, without HTTP/2."""
    settings = {"http": {"tls": pair.settings, "http2": {"disabled": True}}}
    with impatient(tmp_path_factory.mktemp("http1"), settings) as server:
        yield server


def test_client_that_never_asks(http1_server: Server) -> None:
    """A handshake and then nothing is an idle connection, which is closed."""
    with (
        socket.create_connection(("127.0.0.1", http1_server.port), timeout=ANSWER_LIMIT) as plain,
        unverified().wrap_socket(plain, server_hostname="localhost") as wrapped,
    ):
        assert b"200" not in wrapped.recv(100)


def test_renegotiation(http1_server: Server) -> None:
    """TLS 1.2 clients cannot have a second handshake: it is not answered, and the connection is closed."""
    command = [need("openssl"), "s_client", "-tls1_2", "-connect", http1_server.address]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write(b"R\n")
        client.stdin.flush()
        try:
            printed = client.stdout.read()
        finally:
            client.kill()

    assert b"RENEGOTIATING" in printed
    assert printed.count(b"-----BEGIN CERTIFICATE-----") == 1
    assert ask(http1_server, unverified(), None) == b"HTTP/1.1 200"


def test_certificate_replaced_on_disk(server: Server, pair: Pair, tmp_path: Path) -> None:
    """What was read at the start is served until the next start, whatever happens to the files."""
    content = pair.certificate.read_bytes()
    try:
        pair.certificate.write_bytes(b"")
        assert ask(server, unverified(), None) == b"HTTP/1.1 200"
    finally:
        pair.certificate.write_bytes(content)
