"""The access log: one line a request in Apache's combined format, which no client can break and no reader can stall."""

import asyncio
import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from entrepot.api.access_log import AccessLog
from entrepot.api.message import PlainHeaders, Response, content_response, empty_response
from tests.unit.api.requests import request

# As Distribution's documentation and every analyser of such logs read it.
COMBINED = re.compile(
    r'(?P<client>\S+) - - \[(?P<time>[^]]+)] "(?P<line>(?:[^"\\]|\\.)*)" (?P<status>\d{3}) (?P<size>\d+|-)'
    r' "(?P<referer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)"'
)
NOT_FOUND = content_response(404, "text/plain", b"404 page not found\n")


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """The two ends of a pipe that nobody reads unless the test does."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    yield reader, writer
    os.close(reader)
    os.close(writer)


def read(reader: int) -> list[str]:
    """The lines that have come."""
    text = b""
    with suppress(BlockingIOError):
        while piece := os.read(reader, 1 << 16):
            text += piece
    return text.decode().splitlines()


async def logged(pipe: tuple[int, int], method: str, target: str, response: Response, **options: str) -> re.Match[str]:
    """The one line that is written of a request; options are headers, and `client`."""
    log = AccessLog(pipe[1])
    client = options.pop("client", "192.0.2.1:4711")
    log.record(
        request(method, target, {key.replace("_", "-"): text for key, text in options.items()}, client=client), response
    )
    log.flush()
    lines = read(pipe[0])
    assert len(lines) == 1
    match = COMBINED.fullmatch(lines[0])
    assert match is not None, lines[0]
    return match


async def test_a_line_says_who_asked_for_what_and_what_was_answered(pipe: tuple[int, int]) -> None:
    """Byte for byte what Distribution prints, but for the time."""
    reader, writer = pipe
    log = AccessLog(writer)
    log.record(
        request("GET", "/v2/_catalog?n=5", {"User-Agent": "docker/29", "Referer": "https://a.example/"}), NOT_FOUND
    )
    log.record(request("HEAD", "/v2/"), Response(204))
    log.flush()

    first, second = read(reader)

    stamp = r"\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}]"
    assert re.fullmatch(
        rf'192\.0\.2\.1 - - {stamp} "GET /v2/_catalog\?n=5 HTTP/1\.1" 404 19 "https://a\.example/" "docker/29"', first
    )
    assert re.fullmatch(rf'192\.0\.2\.1 - - {stamp} "HEAD /v2/ HTTP/1\.1" 204 - "" ""', second)


async def test_the_time_is_now(pipe: tuple[int, int]) -> None:
    """With the zone, so that it can be compared."""
    match = await logged(pipe, "GET", "/v2/", NOT_FOUND)
    then = datetime.strptime(match["time"], "%d/%b/%Y:%H:%M:%S %z")

    assert abs((datetime.now(UTC) - then).total_seconds()) < 60


@pytest.mark.parametrize(
    ("client", "shown"),
    [("192.0.2.1:4711", "192.0.2.1"), ("[2001:db8::1]:4711", "[2001:db8::1]"), ("", "-"), ("unix", "-")],
)
async def test_a_client_is_its_address(pipe: tuple[int, int], client: str, shown: str) -> None:
    """Without its port; who came by a unix socket has none."""
    assert (await logged(pipe, "GET", "/v2/", NOT_FOUND, client=client))["client"] == shown


HOSTILE = {
    "quote": 'a"b',
    "ends the quotes": '" 200 0 "" "',
    "line end": "a\n192.0.2.9 - - [] b",
    "carriage return": "a\rb",
    "backslash": "a\\",
    "backslash and quote": 'a\\"b',
    "NUL": "a\0b",
    "escape sequence": "a\x1b[2Jb",
    "delete": "a\x7fb",
    "Unicode": "é\u2028\u202e",
    "lone surrogate": "\udc80",
    "long": "x" * 20_000,
    "long and hostile": '\n"' * 20_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
async def test_nothing_of_a_client_breaks_the_line(pipe: tuple[int, int], text: str) -> None:
    """In whatever field it comes: one line, printable, its quotes in place (CVE-2020-7694)."""
    for where in ("method", "path", "query", "referer", "agent"):
        method, path = ("GET", "/v2/a") if where != "method" else (text, "/v2/a")
        target = {"path": f"/v2/{text.replace('?', '')}", "query": f"/v2/?{text}"}.get(where, path)
        headers = {"referer": {"Referer": text}, "agent": {"User_Agent": text}}.get(where, {})

        match = await logged(pipe, method, target, NOT_FOUND, **headers)

        assert match[0].isascii()
        assert match[0].isprintable()
        assert (match["status"], match["size"]) == ("404", "19")
        assert len(match[0]) < 4096


async def test_ordinary_text_is_left_as_it_is(pipe: tuple[int, int]) -> None:
    """Whatever is found in the names and agents of real clients."""
    agent = "docker/29.5.2 go/go1.26 git-commit/0b1c2d3 kernel/7.0 os/linux arch/amd64 UpstreamClient(Docker-Client/29)"
    match = await logged(pipe, "GET", "/v2/library/a_b.c/manifests/v1?ns=docker.io&x=%2F", NOT_FOUND, User_Agent=agent)

    assert match["line"] == "GET /v2/library/a_b.c/manifests/v1?ns=docker.io&x=%2F HTTP/1.1"
    assert match["agent"] == agent


async def test_lines_are_written_together_before_long(pipe: tuple[int, int]) -> None:
    """Without being told to, and no line twice."""
    reader, writer = pipe
    log = AccessLog(writer)
    for number in range(100):
        log.record(request("GET", f"/v2/{number}"), NOT_FOUND)
    assert read(reader) == []

    lines: list[str] = []
    while len(lines) < 100:
        await asyncio.sleep(0.01)
        lines += read(reader)

    assert [line.split()[6] for line in lines] == [f"/v2/{number}" for number in range(100)]
    log.flush()
    assert read(reader) == []


class Waiting(PlainHeaders):
    """Headers of a request whose recording stands still until it may go on."""

    def __init__(self) -> None:
        self.reached, self.may_go_on = threading.Event(), threading.Event()

    def get(self, key: str, default: str | None = None) -> str | None:  # type: ignore[override]  # as its base
        self.reached.set()
        self.may_go_on.wait(20)
        return default


async def test_no_line_is_forgotten_between_two_threads(pipe: tuple[int, int]) -> None:
    """One thread records while the other writes all lines that there are: its line is written before long, too."""
    reader, writer = pipe
    log = AccessLog(writer)
    log.begin(asyncio.get_running_loop())
    waiting, second = Waiting(), request("GET", "/v2/second")
    second.headers = waiting
    log.record(request("GET", "/v2/first"), NOT_FOUND)
    recording = asyncio.create_task(asyncio.to_thread(log.record, second, NOT_FOUND))
    await asyncio.to_thread(waiting.reached.wait, 20)
    assert await _next_line(reader) == "/v2/first"
    waiting.may_go_on.set()
    await recording

    assert await _next_line(reader) == "/v2/second"


async def _next_line(reader: int) -> str:
    while not (lines := read(reader)):
        await asyncio.sleep(0.01)
    assert len(lines) == 1
    return lines[0].split()[6]


async def test_several_threads_may_record(pipe: tuple[int, int]) -> None:
    """Every line comes, whole."""
    reader, writer = pipe
    log = AccessLog(writer)
    log.begin(asyncio.get_running_loop())

    def record(name: str) -> None:
        for number in range(1000):
            log.record(request("GET", f"/v2/{name}{number}"), NOT_FOUND)

    recording = [asyncio.create_task(asyncio.to_thread(record, name)) for name in "abc"]
    lines: list[str] = []
    while len(lines) < 3000:
        await asyncio.sleep(0.01)
        lines += read(reader)
    await asyncio.gather(*recording)

    assert {line.split()[6] for line in lines} == {f"/v2/{name}{number}" for name in "abc" for number in range(1000)}


async def test_several_processes_may_share_the_log() -> None:
    """Each write is whole lines of at most PIPE_BUF bytes, which a pipe never mixes with those of others."""
    # Keeps the writes apart, where a pipe would not show them.
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        log = AccessLog(ours.fileno())
        for number in range(20):
            log.record(request("GET", f"/v2/{'x' * (number * 170 % 3000)}"), NOT_FOUND)
        log.flush()
        ours.close()

        count = 0
        while written := theirs.recv(1 << 20):
            assert len(written) <= 4096
            assert written.endswith(b"\n")
            count += written.count(b"\n")
        assert count == 20


async def test_a_slow_reader_gets_every_line(pipe: tuple[int, int]) -> None:
    """More than a pipe holds waits until there is room, in order, and meanwhile nobody waits for it."""
    reader, writer = pipe
    log = AccessLog(writer)
    for number in range(3000):
        log.record(request("GET", f"/v2/{number}", {"User-Agent": "x" * 200}), NOT_FOUND)

    lines: list[str] = []
    while len(lines) < 3000:
        await asyncio.sleep(0.01)
        lines += read(reader)

    assert [line.split()[6] for line in lines] == [f"/v2/{number}" for number in range(3000)]


async def test_a_reader_that_stands_still_holds_up_nobody(pipe: tuple[int, int]) -> None:
    """What is too much is dropped; when it reads again, whole lines follow, the first and then the new ones."""
    reader, writer = pipe
    log = AccessLog(writer)
    for number in range(50):
        for _ in range(100):
            log.record(request("GET", f"/v2/{number}", {"User-Agent": "x" * 500}), NOT_FOUND)
        await asyncio.sleep(0)
    log.flush()

    kept = read(reader)
    assert all(COMBINED.fullmatch(line) for line in kept)
    assert 0 < len(kept) < 5000
    log.record(request("GET", "/v2/after"), NOT_FOUND)
    log.flush()
    assert ["/v2/after" in line for line in read(reader)] == [True]


@pytest.mark.parametrize("broken", ["reader gone", "closed", "disk full"])
async def test_a_log_that_can_not_be_written_is_dropped(broken: str) -> None:
    """Requests are answered all the same."""
    reader, writer = os.pipe()
    full = os.open("/dev/full", os.O_WRONLY)
    log = AccessLog(full if broken == "disk full" else writer)
    os.close(reader)
    if broken == "closed":
        os.close(writer)

    for _ in range(3):
        log.record(request("GET", "/v2/"), empty_response(200))
        log.flush()

    os.close(full)
    if broken != "closed":
        os.close(writer)
