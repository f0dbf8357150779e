"""Ways to reach the server beside plain TCP: a unix socket, TLS 1.2 and 1.3, HTTP/2 by ALPN."""

import os
import socket
import ssl
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from entrepot.testing.images import image, random_blob
from tests.conftest import Serve
from tests.programs import need
from tests.repositories import Repository
from tests.servers import IN_MEMORY, Server, merge, unverified


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The `http.tls` section with a self-signed certificate for localhost and 127.0.0.1."""
    directory = tmp_path_factory.mktemp("tls")
    paths = {"certificate": str(directory / "cert.pem"), "key": str(directory / "key.pem")}
    command = [need("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command += ["-keyout", paths["key"], "-out", paths["certificate"]]
    subprocess.run(command, check=True, capture_output=True)
    return paths


@pytest.fixture(scope="module")
def secure(serve: Serve, certificate: dict[str, str]) -> Server:
    """A server that speaks TLS."""
    return serve({"http": {"tls": certificate}})


def handshake(server: Server, **changes: Any) -> tuple[str | None, str | None]:
    """Shake hands with these changes to the context; return the protocol that ALPN chose, and the TLS version."""
    context = unverified()
    protocols = changes.pop("protocols", None)
    for name, value in changes.items():
        setattr(context, name, value)
    if protocols is not None:
        context.set_alpn_protocols(protocols)
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as wrapped,
    ):
        return wrapped.selected_alpn_protocol(), wrapped.version()


def exercise(client: httpx.Client) -> None:
    """Push and pull an image with a large layer, and look at a listing and a refusal."""
    repository = Repository(client)
    blob, made = random_blob(5_000_000), image()
    repository.push_blob(blob)
    repository.push(made, "latest")
    assert repository.get(f"blobs/{blob.digest}").content == blob.content
    part = repository.get(f"blobs/{blob.digest}", headers={"Range": "bytes=1000000-1000009"})
    assert part.content == blob.content[1_000_000:1_000_010]
    assert repository.get("manifests/latest").content == made.content
    assert repository.head("manifests/latest").headers["Docker-Content-Digest"] == made.digest
    assert repository.tags() == ["latest"]
    assert repository.get("manifests/unknown").status_code == 404
    assert repository.delete(f"blobs/{blob.digest}").status_code == 202


def test_tls(secure: Server) -> None:
    """Over TLS everything works, and Locations say https."""
    with secure.client() as client:
        exercise(client)
        assert client.post(Repository(client).url("blobs/uploads/")).headers["Location"].startswith("https://127.0.0.1")


def test_http2(secure: Server) -> None:
    """Over HTTP/2 everything works, bodies streamed up without a length included."""
    with secure.client(http2=True) as client:
        assert client.get("/v2/").http_version == "HTTP/2"
        exercise(client)
        repository, blob = Repository(client), random_blob(300_000)
        upload = repository.begin()
        assert upload.append(iter([blob.content[:100_000], blob.content[100_000:]])).status_code == 202
        assert upload.finish(blob.digest).status_code == 201
        assert repository.get(f"blobs/{blob.digest}").content == blob.content


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions(secure: Server, version: ssl.TLSVersion) -> None:
    """TLS 1.2 and 1.3 are both spoken."""
    _, spoken = handshake(secure, minimum_version=version, maximum_version=version)

    assert spoken == version.name.replace("_", ".")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_old_version(secure: Server) -> None:
    """TLS 1.1 is not."""
    with pytest.raises((ssl.SSLError, OSError)):
        handshake(secure, minimum_version=ssl.TLSVersion.MINIMUM_SUPPORTED, maximum_version=ssl.TLSVersion.TLSv1_1)


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [(["h2", "http/1.1"], "h2"), (["http/1.1"], "http/1.1"), (["h2"], "h2"), (None, None)],
)
def test_alpn(secure: Server, offered: list[str] | None, chosen: str | None) -> None:
    """HTTP/2 is chosen when it is offered, HTTP/1.1 otherwise."""
    assert handshake(secure, protocols=offered)[0] == chosen


def test_http2_switched_off(serve: Serve, certificate: dict[str, str]) -> None:
    """With `http.http2.disabled` HTTP/1.1 is chosen although HTTP/2 is offered."""
    server = serve(merge(IN_MEMORY, {"http": {"tls": certificate, "http2": {"disabled": True}}}))

    assert handshake(server, protocols=["h2", "http/1.1"])[0] != "h2"
    with server.client(http2=True) as client:
        assert client.get("/v2/").http_version == "HTTP/1.1"


def test_minimum_version(serve: Serve, certificate: dict[str, str]) -> None:
    """With `http.tls.minimumtls` of 1.3 a client of 1.2 is turned away."""
    server = serve(merge(IN_MEMORY, {"http": {"tls": {**certificate, "minimumtls": "tls1.3"}}}))

    assert handshake(server)[1] == "TLSv1.3"
    with pytest.raises((ssl.SSLError, OSError)):
        handshake(server, maximum_version=ssl.TLSVersion.TLSv1_2)


def test_plain_request_to_tls(secure: Server) -> None:
    """A client that speaks no TLS is told so or cut off, never served, and others are served on."""
    with socket.create_connection(("127.0.0.1", secure.port), timeout=30) as plain:
        plain.sendall(b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        try:
            answer = plain.recv(65536)
        except ConnectionResetError:
            answer = b""

    assert not answer.startswith(b"HTTP/1.1 2")
    assert secure.answers()


@pytest.fixture
def socket_path(tmp_path: Path) -> Iterator[Path]:
    """Where a unix socket may lie: a short path, since the kernel takes no more than 107 bytes."""
    path = Path(f"/tmp/entrepot-{os.getpid()}-{tmp_path.name[-20:]}.sock")
    yield path
    path.unlink(missing_ok=True)


def unix(path: Path) -> dict[str, Any]:
    """Settings of a server that listens there."""
    return {"http": {"net": "unix", "addr": str(path)}}


def test_unix_socket(serve: Serve, socket_path: Path) -> None:
    """With `http.net: unix` everything works over a socket in the file system."""
    server = serve(unix(socket_path))

    assert stat.S_ISSOCK(socket_path.stat().st_mode)
    with server.client() as client:
        exercise(client)


def test_unix_socket_that_was_left_behind(tmp_path: Path, socket_path: Path) -> None:
    """A socket that a killed server left is replaced at the next start."""
    server = Server(tmp_path, unix(socket_path)).start()
    server.kill()
    assert socket_path.exists()

    with server, server.client() as client:
        exercise(client)
