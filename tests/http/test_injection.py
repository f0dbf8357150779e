"""What others say, clients and upstreams, gets into no header of an answer unchecked (R33)."""

import socket
import threading
from collections.abc import Iterator

import pytest

from entrepot.testing.images import image
from tests.conftest import Serve
from tests.http.waiting import wait_until
from tests.http.wire import Answer, exchange, request
from tests.repositories import fresh_name
from tests.servers import Server

PLANTED = "x-planted"
"""A header that no answer may have."""


@pytest.mark.parametrize(
    "line",
    [
        "X-Forwarded-Host: a\x0bX-Planted: yes",
        "X-Forwarded-Host: a%0d%0aX-Planted: yes",
        "X-Forwarded-Host: a X-Planted",
        "X-Forwarded-Proto: http\tX-Planted: yes",
        "X-Forwarded-Proto: javascript",
        'Forwarded: host="a%0d%0aX-Planted: yes";proto=http',
        'Forwarded: host="a b";proto="x y"',
        "Forwarded: host=a/../b",
        "X-Forwarded-Host: user:secret@elsewhere",
        "X-Forwarded-Prefix: /planted",
    ],
)
def test_location(filesystem_server: Server, line: str) -> None:
    """Headers of a proxy make no Location that is not one."""
    path = f"/v2/{fresh_name()}/blobs/uploads/"
    answers = exchange(filesystem_server.port, request(path, line, "Content-Length: 0", method="POST"))

    assert answers[0].status in (202, 400)
    assert PLANTED not in answers[0].headers
    location = answers[0].headers.get("location", "http://localhost/")
    assert location.startswith(("http://localhost/", "http://a/"))
    assert not set(location) & set(" \t\x0b%@")


@pytest.mark.parametrize("value", ["%0d%0aX-Planted:%20yes", "a%0aX-Planted:yes", "%00", "%1b[31m"])
def test_parameters(filesystem_server: Server, value: str) -> None:
    """Nor do parameters that come back: the `last` of a listing's Link, a tag in OCI-Tag, an upload's digest."""
    for path in (
        f"/v2/_catalog?n=1&last={value}",
        f"/v2/a/tags/list?n=1&last={value}",
        f"/v2/a/referrers/sha256:{'0' * 64}?artifactType={value}",
    ):
        answer = exchange(filesystem_server.port, request(path))[0]

        assert answer.status < 500
        assert PLANTED not in answer.headers
        assert all(text.isprintable() for text in answer.headers.values())


def test_media_type(filesystem_server: Server) -> None:
    """Nor does the type that a manifest claims to have."""
    content = b'{"schemaVersion":2,"mediaType":"a/b\\r\\nX-Planted: yes","manifests":[]}'
    lines = ("Content-Type: a/b", f"Content-Length: {len(content)}")
    path = f"/v2/{fresh_name()}/manifests/latest"
    put, get = exchange(filesystem_server.port, request(path, *lines, method="PUT", body=content) + request(path))[:2]

    assert put.status == 400
    assert get.status == 404


IMAGE = image(1)
GOOD = f"HTTP/1.1 200 OK\r\nContent-Type: {IMAGE.media_type}\r\nDocker-Content-Digest: {IMAGE.digest}\r\n".encode()


class Upstream:
    """A registry that has one manifest, and answers every request with it and a line that a test chooses."""

    def __init__(self) -> None:
        self.line = b""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as received:
                first = received.readline()
                while received.readline().strip():
                    pass
                head = GOOD + self.line + b"\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(IMAGE.content)
                connection.sendall(head if first.startswith(b"HEAD") else head + IMAGE.content)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    """A registry that sends what it likes."""
    upstream = Upstream()
    yield upstream
    upstream.close()


@pytest.fixture(scope="module")
def mirror(serve: Serve, upstream: Upstream) -> Server:
    """A mirror of it."""
    return serve({"proxy": {"remoteurl": upstream.url}, "storage": {"delete": None}})


def check_clean(answer: Answer) -> None:
    """Our own headers only, and printable; a good answer is the manifest itself."""
    assert answer.status in (200, 404, 502, 503), answer
    assert not {PLANTED, "set-cookie", "warning"} & set(answer.headers)
    assert all(text.isprintable() for text in answer.headers.values())
    if answer.status == 200:
        assert answer.body == IMAGE.content
        assert answer.headers["content-type"] == IMAGE.media_type


@pytest.mark.parametrize(
    "line",
    [
        b"X-Planted: yes",
        b"Content-Type: a/b\x00c",
        b"Content-Type: a/b\r\n X-Planted: yes",
        b"Content-Type: text/html\x1b[31m",
        b"Docker-Content-Digest: sha256:\x01",
        b"Docker-Content-Digest: " + b"a" * 10_000,
        b'Link: </v2/planted>; rel="next"\x7f',
        b"Location: http://elsewhere/\x0bX-Planted",
        b'Warning: 299 - "planted"\r\nSet-Cookie: planted=1',
        b'ETag: "\x02"',
        b"Connection: X-Planted",
        b"X-Planted : yes",
        b"no colon",
    ],
    ids=lambda line: repr(line[:20]),
)
def test_headers_of_an_upstream(mirror: Server, upstream: Upstream, line: bytes) -> None:
    """Whatever an upstream sends, nothing of it is passed on, and what is served is what the digest names."""
    upstream.line = line
    name = f"library/{fresh_name()}"
    for reference in ("latest", IMAGE.digest):
        check_clean(exchange(mirror.port, request(f"/v2/{name}/manifests/{reference}"))[0])


def test_good_upstream(mirror: Server, upstream: Upstream) -> None:
    """Without such lines the same upstream is mirrored, as soon as it is not left alone any more for what it did."""
    upstream.line = b"X-Harmless: yes"

    def ask() -> Answer:
        return exchange(mirror.port, request(f"/v2/library/{fresh_name()}/manifests/latest"))[0]

    wait_until(lambda: ask().status == 200)
    check_clean(ask())
