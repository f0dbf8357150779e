"""Clients that are slow, or stand still (F-016, F-018 to F-020): they cost little, and not for long."""

import hashlib
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise

import pytest

from tests.conftest import Serve
from tests.http.conftest import BODY
from tests.http.processes import await_workers, connections, memory, open_files
from tests.http.waiting import wait_until
from tests.http.wire import Wire, begin_upload, exchange, request, statuses, stored
from tests.repositories import Repository, fresh_name
from tests.servers import IN_MEMORY, Server

LARGE = 16 << 20
STALLED = 8


@pytest.fixture
def port(impatient_server: Server) -> int:
    """The port of the impatient server."""
    return impatient_server.port


def test_heads_that_never_end(port: int) -> None:
    """F-018, F-135: a connection on which no whole head arrives, be it the second, is closed, with 408 or without."""
    starts = (b"", b"G", b"GET /v2/ HTTP/1.1\r\nHost: a\r\nA: ", request("/v2/"))
    with ExitStack() as stack:
        slow = [stack.enter_context(Wire(port)) for _ in starts]
        for wire, start in zip(slow, starts, strict=True):
            wire.send(start)

        assert all(statuses(wire.answers()) in ([], [408]) for wire in slow[:-1])
        assert statuses(slow[-1].answers()) in ([200], [200, 408])


def test_head_that_trickles(port: int) -> None:
    """F-018: a byte now and then does not prolong the time that a head may take."""
    with Wire(port) as wire:
        wire.socket.settimeout(0.1)
        ended = False
        while not ended:
            ended = not wire.send(b"G")
            try:
                ended = ended or not wire.receive()
            except TimeoutError:
                continue


def test_many_slow_heads(port: int) -> None:
    """F-018: a hundred such clients keep nobody else from being answered."""
    with ExitStack() as slow:
        for _ in range(100):
            slow.enter_context(Wire(port)).send(b"GET /v2/ HT")

        assert statuses(exchange(port, request("/v2/"))) == [200, 200]


def test_bodies_that_stand_still(port: int) -> None:
    """F-019: an upload that brings nothing more gives 408; what it brought is kept, and another client goes on."""
    first, rest = secrets.token_bytes(3000), secrets.token_bytes(3000)
    begun = {"Content-Length: 6000": first, "Transfer-Encoding: chunked": b"bb8\r\n" + first + b"\r\n"}
    digest = f"sha256:{hashlib.sha256(first + rest).hexdigest()}"
    locations = [begin_upload(port, fresh_name()) for _ in begun]
    with ExitStack() as stack:
        slow = [stack.enter_context(Wire(port)) for _ in begun]
        for wire, location, (framing, body) in zip(slow, locations, begun.items(), strict=True):
            wire.send(request(location, framing, method="PATCH", body=body))
        refused = [wire.answers() for wire in slow]

    for location, answers in zip(locations, refused, strict=True):
        assert statuses(answers) == [408]
        assert answers[0].headers["connection"] == "close"
        assert stored(port, location) == 3000
        lines = ("Content-Length: 3000", "Content-Range: 3000-5999")
        finished = exchange(port, request(f"{location}&digest={digest}", *lines, method="PUT", body=rest))
        assert finished[0].status == 201


def test_body_that_trickles(port: int) -> None:
    """F-019: a byte now and then is not enough either."""
    location = begin_upload(port, fresh_name())
    with Wire(port) as wire:
        wire.send(request(location, "Content-Length: 1000000", method="PATCH"))
        wire.socket.settimeout(BODY / 10)
        answer = None
        while answer is None:
            wire.send(b"x")
            try:
                answer = wire.answer()
            except TimeoutError:
                continue

    assert answer.status == 408


def send_steadily(port: int) -> tuple[int, float]:
    """Upload for longer than a body may stand still; the status, and the longest time in which nothing was sent."""
    location, size, pieces = begin_upload(port, fresh_name()), 1024, 15
    with Wire(port) as wire:
        wire.send(request(location, f"Content-Length: {size * pieces}", "Connection: close", method="PATCH"))
        times = [time.monotonic()]
        for _ in range(pieces):
            time.sleep(BODY / 10)
            wire.send(bytes(size))
            times.append(time.monotonic())
        return wire.answers()[0].status, max(later - earlier for earlier, later in pairwise(times))


def test_slow_but_steady_body(port: int) -> None:
    """F-019: a body that goes on arriving may take longer altogether than it may stand still."""
    status, longest = send_steadily(port)
    while status == 408 and longest > BODY / 2:  # the test itself stood still: that tells nothing
        status, longest = send_steadily(port)

    assert status == 202


@pytest.fixture(scope="module", params=["filesystem", "inmemory"])
def patient_server(request: pytest.FixtureRequest, serve: Serve) -> Server:
    """A server of each storage driver; one sends files, the other streams."""
    on_files = request.param == "filesystem"
    server = serve({} if on_files else IN_MEMORY)
    await_workers(server.pid, None if on_files else 1)
    return server


@pytest.fixture
def large_blob(patient_server: Server) -> Iterator[tuple[str, bytes]]:
    """The path of a large blob, and its content."""
    content = secrets.token_bytes(LARGE)
    with patient_server.client() as client:
        repository = Repository(client)
        yield repository.url(f"blobs/{repository.push_blob(content)}"), content


def stall(stack: ExitStack, port: int, sent: bytes) -> Wire:
    """A client with a small window that sends requests and takes nothing until the server can send no more."""
    wire = stack.enter_context(Wire(port, receive_buffer=4096))
    wire.send(sent)
    arrived = 0
    while (now := len(wire.socket.recv(1 << 20, socket.MSG_PEEK))) > arrived:
        arrived = now
        time.sleep(0.1)
    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    return wire


def test_readers_that_stand_still(patient_server: Server, large_blob: tuple[str, bytes]) -> None:
    """F-020: a client that does not read costs the server little memory, and gets the right bytes when it does."""
    path, content = large_blob
    exchange(patient_server.port, request(path))
    before = memory(patient_server.pid)
    with ExitStack() as stack:
        stalled = [stall(stack, patient_server.port, request(path)) for _ in range(STALLED)]
        grown = memory(patient_server.pid) - before
        answers = [wire.answer() for wire in stalled[:2]]

    assert grown < STALLED * 4 << 20
    for answer in answers:
        assert answer is not None
        assert answer.body == content


def test_pipeline_that_is_not_read(patient_server: Server, large_blob: tuple[str, bytes]) -> None:
    """F-016: of a hundred requests by a client that does not read, one is worked on; all are answered when it does."""
    exchange(patient_server.port, request(large_blob[0]))
    before = memory(patient_server.pid)
    paths = [large_blob[0], "/v2/"] * 50
    with ExitStack() as stack:
        wire = stall(stack, patient_server.port, b"".join(map(request, paths)))
        grown = memory(patient_server.pid) - before
        first, second = wire.answer(), wire.answer()

    assert grown < 8 << 20
    assert first is not None
    assert hashlib.sha256(first.body).digest() == hashlib.sha256(large_blob[1]).digest()
    assert second is not None
    assert second.body == b"{}"


def test_reader_that_never_reads(impatient_server: Server) -> None:
    """F-020: after a while the server gives such a client up, and has nothing open for it any more."""
    with impatient_server.client() as client:
        repository = Repository(client)
        path = repository.url(f"blobs/{repository.push_blob(secrets.token_bytes(LARGE))}")
    pid, blobs = impatient_server.pid, impatient_server.root / "docker/registry/v2/blobs"
    with ExitStack() as stack:
        for _ in range(STALLED):
            stall(stack, impatient_server.port, request(path))
        wait_until(lambda: open_files(pid, below=blobs) > 0)
        wait_until(lambda: connections(pid, impatient_server.port) + open_files(pid, below=blobs) == 0)
