"""nginx reads the same bytes: where both take a request, it is the same one. None can be smuggled past the other."""

import re
from collections.abc import Iterator

import pytest

from tests.http.payloads import (
    BROKEN_CHUNKS,
    CHUNK_EXTENSIONS,
    CHUNK_SIZES,
    CHUNKED,
    CODINGS,
    HELLO,
    LENGTHS,
    SAME_LENGTH,
    SEVERAL_LENGTHS,
    TRAILERS,
)
from tests.http.wire import Answer, Wire, begin_upload, exchange, request
from tests.programs import need
from tests.real.nginx import Nginx
from tests.repositories import fresh_name
from tests.servers import Server

SECOND, SMUGGLED = request("/v2/second/tags/list"), request("/v2/smuggled/tags/list")
INNER = b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)

Payload = tuple[tuple[str, ...], bytes]


def payloads() -> Iterator[Payload]:
    """Header lines and body of every payload there is, and some that hide a request in a body."""
    yield from ((lines, b"hello") for lines in SEVERAL_LENGTHS)
    for value in (*LENGTHS, *SAME_LENGTH):
        yield (f"Content-Length: {value}",), b"hello"
    for lines in CODINGS:
        yield lines, HELLO
        yield lines, INNER
        yield (*lines, f"Content-Length: {len(INNER)}"), INNER
    for body in (*BROKEN_CHUNKS, *(size + b"\r\nhello\r\n0\r\n\r\n" for size in (*CHUNK_SIZES, *CHUNK_EXTENSIONS))):
        yield (CHUNKED,), body
    for trailer in TRAILERS:
        yield (CHUNKED, "Trailer: x"), HELLO[:-2] + f"{trailer}\r\n\r\n".encode()
    for length in (0, 3, len(INNER)):
        yield (f"Content-Length: {length}", CHUNKED), INNER
        yield (CHUNKED, f"Content-Length: {length}"), b"0\r\n\r\n" + SMUGGLED
    yield ("Content-Length: 5", "Content-Length: 5"), b"hello"
    yield (f"Content-Length: {len(SMUGGLED)}",), SMUGGLED
    yield (CHUNKED,), INNER


@pytest.fixture(scope="module")
def nginx() -> Iterator[int]:
    """The port of an nginx that answers each request with its method and path."""
    need("nginx")
    with Nginx('location / { return 200 "$request_method $uri"; }') as server:
        yield int(server.address.rpartition(":")[2])


def by_nginx(answers: list[Answer]) -> list[str]:
    """What nginx took for requests."""
    return [answer.body.decode() for answer in answers if answer.status == 200]


def by_us(answers: list[Answer], path: str) -> list[str]:
    """The same of our server, told by what it answered: it has none of the repositories."""
    seen = []
    for answer in answers:
        unknown = re.search(rb'"name":"(second|smuggled)"', answer.body)
        if answer.status == 202:
            seen.append(f"PATCH {path}")
        elif unknown is not None:
            seen.append(f"GET /v2/{unknown[1].decode()}/tags/list")
        elif answer.body == b"{}":
            seen.append("GET /v2/")
    return seen


@pytest.mark.parametrize(("lines", "body"), list(payloads()), ids=lambda value: repr(value)[:40])
def test_same_requests_as_nginx(nginx: int, filesystem_server: Server, lines: tuple[str, ...], body: bytes) -> None:
    """One after the other they see the same requests, until one of them closes the connection."""
    location = begin_upload(filesystem_server.port, fresh_name())
    sent = request(location, *lines, method="PATCH", body=body) + SECOND

    ours = by_us(exchange(filesystem_server.port, sent), location.partition("?")[0])
    with Wire(nginx) as wire:
        wire.send(sent)
        wire.end()
        theirs = by_nginx(wire.answers())

    both = min(len(ours), len(theirs))
    assert ours[:both] == theirs[:both]


@pytest.mark.parametrize(
    "head",
    [
        b"A: b\nC: d",
        b"A: b\nHost: elsewhere",
        b"A: b\r\r\nC: d",
        b"A: b\x00c",
        b"A : b",
        b"A: b\r\n c",
        b"A: b\r\n\x0bc: d",
        b"\xe4: b",
        b"A:",
        b"A: \xff",
    ],
)
def test_same_heads_as_nginx(nginx: int, filesystem_server: Server, head: bytes) -> None:
    """Odd header lines end where nginx sees them end."""
    sent = b"GET /v2/second/tags/list HTTP/1.1\r\nHost: localhost\r\n" + head + b"\r\n\r\n" + SMUGGLED

    ours = by_us(exchange(filesystem_server.port, sent), "")
    theirs = by_nginx(exchange(nginx, sent))
    both = min(len(ours), len(theirs))
    assert ours[:both] == theirs[:both]
