"""Where a request's body ends (F-001 to F-006, F-008): in no doubt, or the request is refused and is the last.

Each payload is followed by another request, which must never be taken from what one reader holds for a body.
"""

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
from tests.http.wire import Answer, begin_upload, exchange, request, statuses, stored
from tests.repositories import fresh_name
from tests.servers import Server


@pytest.fixture
def port(filesystem_server: Server) -> int:
    """The port of the shared server."""
    return filesystem_server.port


@pytest.fixture
def location(port: int) -> str:
    """An upload session, to see what a body brought."""
    return begin_upload(port, fresh_name())


def append(port: int, location: str, *lines: str, body: bytes) -> list[Answer]:
    return exchange(port, request(location, *lines, method="PATCH", body=body))


def check_refused(answers: list[Answer], *allowed: int) -> None:
    """The first request is refused, well-formed, and nothing behind it is looked at."""
    assert len(answers) == 1, answers
    assert answers[0].status in (allowed or (400,)), answers
    assert answers[0].is_whole


@pytest.mark.parametrize(
    "lines", [("Content-Length: 5", CHUNKED), (CHUNKED, "Content-Length: 5"), (CHUNKED, "Content-Length: 500")]
)
@pytest.mark.parametrize("method", ["PATCH", "GET"])
def test_length_and_chunks(port: int, location: str, method: str, lines: tuple[str, ...]) -> None:
    """F-001: both at once are refused, or the chunks count, and the connection is closed either way (RFC 9112 §6.3)."""
    answers = exchange(port, request(location, *lines, method=method, body=HELLO))

    assert len(answers) == 1, answers
    assert answers[0].status in (400, 202 if method == "PATCH" else 204)
    assert stored(port, location) == (5 if answers[0].status == 202 else 0)


@pytest.mark.parametrize("lines", SEVERAL_LENGTHS)
def test_several_lengths(port: int, location: str, lines: tuple[str, ...]) -> None:
    """F-002: more than one length is refused."""
    check_refused(append(port, location, *lines, body=b"hello"))
    assert stored(port, location) == 0


def test_same_length_twice(port: int, location: str) -> None:
    """F-002: the same length in two lines is refused, or is that length (RFC 9112 §6.3)."""
    answers = append(port, location, "Content-Length: 5", "Content-Length: 5", body=b"hello")

    assert statuses(answers) in ([400], [202, 200])


@pytest.mark.parametrize("value", LENGTHS)
def test_no_length(port: int, location: str, value: str) -> None:
    """F-003: what is not a plain decimal number of a size that can be is refused."""
    check_refused(append(port, location, f"Content-Length: {value}", body=b"hello"), 400, 413, 431)
    assert stored(port, location) == 0


@pytest.mark.parametrize("value", SAME_LENGTH)
def test_length_in_other_words(port: int, location: str, value: str) -> None:
    """Blanks around a length and zeros before it are allowed, and do not change it."""
    answers = append(port, location, f"Content-Length: {value}", body=b"hello")

    assert statuses(answers) == [202, 200]
    assert stored(port, location) == 5


@pytest.mark.parametrize("lines", CODINGS)
def test_no_known_coding(port: int, location: str, lines: tuple[str, ...]) -> None:
    """F-004: any transfer coding but exactly `chunked` is refused."""
    check_refused(append(port, location, *lines, body=HELLO), 400, 501)
    assert stored(port, location) == 0


def test_chunks_in_http_1_0(port: int, location: str) -> None:
    """F-004: HTTP/1.0 knows no transfer codings."""
    head = f"PATCH {location} HTTP/1.0\r\nHost: localhost\r\n{CHUNKED}\r\n\r\n"

    check_refused(exchange(port, head.encode() + HELLO))


@pytest.mark.parametrize("line", [CHUNKED, "transfer-encoding:\tCHUNKED", "TRANSFER-ENCODING:  Chunked  "])
def test_known_coding(port: int, location: str, line: str) -> None:
    """`chunked` in any case, between blanks, is understood."""
    assert statuses(append(port, location, line, body=HELLO)) == [202, 200]
    assert stored(port, location) == 5


@pytest.mark.parametrize("size", CHUNK_SIZES)
def test_no_chunk_size(port: int, location: str, size: bytes) -> None:
    """F-005: a chunk whose size is none is refused, and nothing of it is kept."""
    check_refused(append(port, location, CHUNKED, body=size + b"\r\nhello\r\n0\r\n\r\n"))
    assert stored(port, location) == 0


@pytest.mark.parametrize("body", BROKEN_CHUNKS, ids=lambda body: repr(body[:24]))
def test_broken_chunks(port: int, location: str, body: bytes) -> None:
    """F-006: a chunked body that breaks off its form is refused; the chunks before may be kept, and are told."""
    check_refused(append(port, location, CHUNKED, body=body))
    assert stored(port, location) in (0, 5)


@pytest.mark.parametrize("size", CHUNK_EXTENSIONS)
def test_chunk_extension(port: int, location: str, size: bytes) -> None:
    """Extensions of a chunk are read over."""
    assert statuses(append(port, location, CHUNKED, body=size + b"\r\nhello\r\n0\r\n\r\n")) == [202, 200]
    assert stored(port, location) == 5


@pytest.mark.parametrize("trailer", TRAILERS)
def test_announced_trailer(port: int, location: str, trailer: str) -> None:
    """F-008: trailers that the request announces are dropped, whatever they name."""
    lines = (CHUNKED, f"Trailer: {trailer.partition(':')[0]}")
    body = HELLO[:-2] + f"{trailer}\r\n\r\n".encode()

    assert statuses(append(port, location, *lines, body=body)) == [202, 200]
    assert stored(port, location) == 5


@pytest.mark.parametrize("trailer", TRAILERS)
def test_trailer_by_surprise(port: int, location: str, trailer: str) -> None:
    """F-008: trailers that no `Trailer` announces are refused: the server cannot tell them from a body cut short."""
    check_refused(append(port, location, CHUNKED, body=HELLO[:-2] + f"{trailer}\r\n\r\n".encode()))


@pytest.mark.parametrize("announced", [True, False])
def test_endless_trailers(port: int, location: str, announced: bool) -> None:
    """F-008: a hundred thousand trailers are too many; the connection is closed."""
    lines = (CHUNKED, "Trailer: x") if announced else (CHUNKED,)
    answers = append(port, location, *lines, body=HELLO[:-2] + b"x: y\r\n" * 100_000 + b"\r\n")

    assert len(answers) == 1, answers
    assert answers[0].status in (202, 400, 431)
