"""Clients that leave, or that stop sending, in the middle (F-021), over HTTP/1.1 and HTTP/2."""

import hashlib
import secrets
from collections.abc import Iterator

import pytest

from tests.conftest import Serve
from tests.http.http2 import Http2Wire
from tests.http.processes import await_workers, open_files
from tests.http.waiting import wait_until
from tests.http.wire import Wire, begin_upload, exchange, request, stored
from tests.repositories import Repository, fresh_name
from tests.servers import IN_MEMORY, Server, merge

LARGE = 8 << 20


@pytest.fixture(scope="module")
def server(serve: Serve) -> Server:
    """A server of one worker that also speaks HTTP/2 without TLS; it waits long for nobody."""
    server = serve(merge(IN_MEMORY, {"http": {"h2c": {"enabled": True}}}))
    await_workers(server.pid, 1)
    return server


@pytest.fixture(scope="module")
def large_blob(server: Server) -> str:
    """The path of a blob larger than all buffers on its way."""
    with server.client() as client:
        repository = Repository(client)
        return repository.url(f"blobs/{repository.push_blob(secrets.token_bytes(LARGE))}")


@pytest.fixture
def settled(server: Server) -> Iterator[None]:
    """After the test, the server has as many open files as before it."""
    exchange(server.port, b"")
    before = open_files(server.pid)
    yield
    wait_until(lambda: open_files(server.pid) <= before)


@pytest.mark.usefixtures("settled")
def test_client_that_ends_after_its_request(server: Server) -> None:
    """A client that shuts down its half at once gets its whole answer or none, and the connection is closed."""
    with Wire(server.port) as wire:
        wire.send(request("/v2/"))
        wire.end()

        assert [answer.body for answer in wire.answers()] in ([], [b"{}"])


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("farewell", ["reset", "close"])
def test_client_that_leaves_a_download(server: Server, large_blob: str, farewell: str) -> None:
    """A client that goes away while a large blob is sent leaves no open file behind."""
    for _ in range(8):
        with Wire(server.port) as wire:
            wire.send(request(large_blob))
            assert wire.receive(1000)
            if farewell == "reset":
                wire.reset()

    assert exchange(server.port, b"")[0].status == 200


class HalfAnUpload:
    """An upload the first half of which is sent by a client that leaves."""

    def __init__(self, port: int) -> None:
        self.content = secrets.token_bytes(6000)
        self.first = self.content[:3000]
        self._port = port
        self._name = fresh_name()
        self.location = begin_upload(port, self._name)

    def check_finished_by_another(self) -> None:
        """The session is free before long, tells what it holds, and takes the rest; the digest is right then."""
        digest = f"sha256:{hashlib.sha256(self.content).hexdigest()}"
        wait_until(lambda: self._append(digest) == 201)
        assert exchange(self._port, request(f"/v2/{self._name}/blobs/{digest}"))[0].body == self.content

    def _append(self, digest: str) -> int:
        rest = self.content[stored(self._port, self.location) :]
        start = len(self.content) - len(rest)
        lines = (f"Content-Length: {len(rest)}", f"Content-Range: {start}-{len(self.content) - 1}")
        answers = exchange(self._port, request(f"{self.location}&digest={digest}", *lines, method="PUT", body=rest))
        assert answers[0].status in (201, 409, 416), answers
        return answers[0].status


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("framing", ["Content-Length: 6000", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("farewell", ["reset", "close", "end"])
def test_client_that_leaves_an_upload(server: Server, farewell: str, framing: str) -> None:
    """Another client goes on where the one that left was cut off; who only stopped sending is told 400."""
    upload = HalfAnUpload(server.port)
    body = b"bb8\r\n" + upload.first + b"\r\nbb8\r\n" if "chunked" in framing else upload.first
    with Wire(server.port) as wire:
        wire.send(request(upload.location, framing, method="PATCH", body=body))
        if farewell == "reset":
            wire.reset()
        elif farewell == "end":
            wire.end()
            assert [answer.status for answer in wire.answers()] == [400]

    upload.check_finished_by_another()


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("length", [(), (("content-length", "6000"),)], ids=["unknown", "known"])
@pytest.mark.parametrize("farewell", ["close", "cancel"])
def test_http2_client_that_leaves_an_upload(server: Server, farewell: str, length: tuple[tuple[str, str], ...]) -> None:
    """Over HTTP/2 as well, where the server's library tells of a lost connection by empty chunks without end."""
    upload = HalfAnUpload(server.port)
    with Http2Wire(server.port) as wire:
        stream = wire.begin("PATCH", upload.location, *length)
        wire.send(stream, upload.first)
        if farewell == "cancel":
            wire.cancel(stream)

    upload.check_finished_by_another()


@pytest.mark.parametrize("declared", ["3", "9"])
def test_http2_body_of_another_length(server: Server, declared: str) -> None:
    """RFC 9113 §8.1.1: a body that is not as long as its content-length is malformed, and nothing is acknowledged."""
    location = begin_upload(server.port, fresh_name())
    with Http2Wire(server.port) as wire:
        stream = wire.begin("PATCH", location, ("content-length", declared))
        wire.send(stream, b"hello", ended=True)

        assert wire.status(stream) in (None, 400)


@pytest.mark.parametrize("empty_end", [False, True])
def test_http2_body_of_unknown_length(server: Server, empty_end: bool) -> None:
    """A body without content-length ends where its stream does, be it with an empty frame."""
    location = begin_upload(server.port, fresh_name())
    with Http2Wire(server.port) as wire:
        stream = wire.begin("PATCH", location)
        wire.send(stream, b"hello", ended=not empty_end)
        if empty_end:
            wire.send(stream, b"", ended=True)

        assert wire.status(stream) == 202
    assert stored(server.port, location) == 5


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ((("host", "elsewhere"),), (400, None)),
        ((("transfer-encoding", "chunked"),), (400, None)),
        ((("connection", "close"),), (400, None)),
        ((("x", "y" * 100_000),), (431, None)),
    ],
)
def test_http2_headers_that_are_not_allowed(
    server: Server, headers: tuple[tuple[str, str], ...], allowed: tuple[int | None, ...]
) -> None:
    """RFC 9113 §8.2.2, §8.3.1: another host, headers of the connection, and endless ones are refused."""
    with Http2Wire(server.port) as wire:
        assert wire.status(wire.begin("GET", "/v2/", *headers, ended=True)) in allowed

    assert exchange(server.port, b"")[0].status == 200
