"""Certificates that are replaced under a running server, and those that clients have to show."""

import shutil
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.http.certificates import Pair, make_pair
from tests.http.waiting import wait_until
from tests.http.wire import request
from tests.servers import ANSWER_LIMIT, Server
from tests.unit.upstream.authorities import Authority, make_authority

CLIENT_AUTH = ("require-and-verify-client-cert", "verify-client-cert-if-given")


@contextmanager
def connected(server: Server, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    """A connection whose handshake is over."""
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=ANSWER_LIMIT) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as wrapped,
    ):
        yield wrapped


def ask(connection: ssl.SSLSocket) -> bytes:
    """The first line of an answer on it."""
    connection.sendall(request("/v2/"))
    return connection.recv(4096)[:12]


def is_shown(server: Server, pair: Pair) -> bool:
    """Whether a client that trusts nothing else is content."""
    try:
        with connected(server, ssl.create_default_context(cafile=pair.certificate)) as connection:
            return ask(connection) == b"HTTP/1.1 200"
    except ssl.SSLCertVerificationError:
        return False


def replace(used: Pair, other: Pair) -> None:
    """As certbot and its kin do: each file is renamed into its place."""
    for target, source in ((used.certificate, other.certificate), (used.key, other.key)):
        shutil.copy(source, f"{target}.new")
        Path(f"{target}.new").rename(target)


def test_a_replaced_certificate_is_shown_to_new_connections(tmp_path: Path) -> None:
    """Without a signal; a connection that is open goes on. A pair that is no good is told once."""
    used, other, third = (make_pair(tmp_path, name, key="ec:P-256") for name in ("used", "other", "third"))
    replaced = Pair(tmp_path / "live.pem", tmp_path / "live.key")
    replace(replaced, used)
    with Server(tmp_path, {"http": {"tls": replaced.settings}}) as server:
        with connected(server, ssl.create_default_context(cafile=used.certificate)) as kept:
            assert ask(kept) == b"HTTP/1.1 200"
            replace(replaced, other)
            wait_until(lambda: all(is_shown(server, other) for _ in range(10)))
            assert ask(kept) == b"HTTP/1.1 200"

        replaced.key.write_bytes(third.key.read_bytes())
        wait_until(lambda: "not_reloaded" in server.output())
        assert "does not belong to" in server.output()
        assert all(is_shown(server, other) for _ in range(10))

        replace(replaced, third)
        wait_until(lambda: all(is_shown(server, third) for _ in range(10)))
        assert server.output().count("not_reloaded") == 1


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whom the server trusts to tell who its clients are."""
    return make_authority(tmp_path_factory.mktemp("authority"), "authority")


@pytest.fixture(scope="module", params=CLIENT_AUTH)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[Server]:
    """A server that wants to see certificates."""
    directory = tmp_path_factory.mktemp("server")
    other = make_authority(directory, "second")
    tls = {**make_pair(directory).settings, "clientauth": request.param}
    clientcas = [str(other.certificate), str(authority.certificate)]
    server = Acquainted(directory, {"http": {"tls": {**tls, "clientcas": clientcas}}})
    server.certificate = authority.sign("friend")
    with server as running:
        yield running


class Acquainted(Server):
    """A server that answers to whom an authority vouches for, as whom it is asked whether it is up."""

    certificate: Path

    def answers(self) -> bool:
        with suppress(OSError):
            return bool(outcome(self, self.certificate))
        return False


def outcome(server: Server, certificate: Path | None) -> bytes:
    """What a client with that certificate, or with none, gets to see."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if certificate is not None:
        context.load_cert_chain(certificate)
    try:
        with connected(server, context) as connection:
            return ask(connection)
    except (ssl.SSLError, ConnectionError):
        return b""


def test_a_client_whom_an_authority_vouches_for(server: Server, authority: Authority) -> None:
    """Any of the authorities."""
    assert outcome(server, authority.sign("client")) == b"HTTP/1.1 200"


def test_a_client_whom_nobody_vouches_for(server: Server, tmp_path: Path) -> None:
    """It is refused, whether or not it need have shown one."""
    assert outcome(server, make_authority(tmp_path, "unknown").sign("client")) == b""


def test_a_client_that_shows_nothing(server: Server) -> None:
    """It is refused where it has to show one."""
    has_to = server.settings["http"]["tls"]["clientauth"] == CLIENT_AUTH[0]
    assert outcome(server, None) == (b"" if has_to else b"HTTP/1.1 200")
