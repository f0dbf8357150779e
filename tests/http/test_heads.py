"""Request lines and header blocks that are none, too long, or ask for what there is not (F-009 to F-014)."""

import pytest

from tests.conftest import Serve
from tests.http.waiting import wait_until
from tests.http.wire import Answer, Wire, exchange, request, statuses
from tests.repositories import fresh_name
from tests.servers import Server

HEADERS = (
    b"A: b\x00c",
    b"A: b\rc",
    b"A: \x01",
    b"A: \x7f",
    b"A : b",
    b"A\t: b",
    b"A: b\r\n c",
    b"A: b\r\n\tc",
    b": b",
    b"no colon",
    b"A(: b",
    b"A B: c",
    b'"A": b',
    b"A\x00: b",
    b"\xc3\xa4: b",
    b"\rA: b",
    b"\x0bA: b",
)
"""F-009, each somewhere behind a good Host."""

HOSTS = (
    b"",
    b"Host: a\r\nHost: b\r\n",
    b"Host: a\r\nHost: a\r\n",
    b"Host: a, b\r\n",
    b"Host: a b\r\n",
    b"Host: user@a\r\n",
    b"Host: a/path\r\n",
    b"Host: a?query\r\n",
    b"Host: a#fragment\r\n",
    b"Host: http://a\r\n",
    b"Host: a:b\r\n",
    b"Host: a:\r\n",
    b"Host: [::1\r\n",
    b"Host: \r\n",
    b"Host: \xc3\xa4\r\n",
    b"Host: a\\b\r\n",
    b"Host: " + b"a" * 300 + b"\r\n",
)
"""F-010."""

REQUEST_LINES = (
    b"GET /v2/ HTTP/1.2",
    b"GET /v2/ HTTP/2.0",
    b"GET /v2/ HTTP/0.9",
    b"GET /v2/ HTTP/11",
    b"GET /v2/ http/1.1",
    b"GET /v2/ FOO/1.1",
    b"GET /v2/ HTTP/1.1 ",
    b"GET /v2/ HTTP/1.1\x00",
    b"GET /v2/",
    b"GET",
    b"GET  /v2/ HTTP/1.1",
    b"GET\t/v2/\tHTTP/1.1",
    b" GET /v2/ HTTP/1.1",
    b"GET v2/ HTTP/1.1",
    b"G(T /v2/ HTTP/1.1",
    b"G\xc3\xa4T /v2/ HTTP/1.1",
    b"garbage",
    b"\x00" * 64,
    bytes(range(256)),
)
"""F-013."""


@pytest.fixture
def port(filesystem_server: Server) -> int:
    """The port of the shared server."""
    return filesystem_server.port


def check_refused(answers: list[Answer], *allowed: int) -> None:
    """One well-formed refusal, and the connection is closed."""
    assert len(answers) == 1, answers
    assert answers[0].status in allowed, answers
    assert answers[0].is_whole


@pytest.mark.parametrize("line", HEADERS)
def test_malformed_header(port: int, line: bytes) -> None:
    """F-009: a header line that is none is refused."""
    check_refused(exchange(port, b"GET /v2/ HTTP/1.1\r\nHost: a\r\n" + line + b"\r\n\r\n"), 400)


@pytest.mark.parametrize("line", [b" Host: a", b"\tHost: a", b"Host : a"])
def test_malformed_first_header(port: int, line: bytes) -> None:
    """F-009: neither blanks before the first header nor before its colon are allowed."""
    check_refused(exchange(port, b"GET /v2/ HTTP/1.1\r\n" + line + b"\r\n\r\n"), 400)


def test_bare_line_feed_ends_a_line(port: int) -> None:
    """RFC 9112 §2.2 allows to take a bare LF for the end of a line, and here as in nginx it is one: never a value."""
    answers = exchange(port, b"GET /v2/ HTTP/1.1\nHost: a\nA: b\nHost: b\n\n")

    check_refused(answers, 400)
    assert b"Host" in answers[0].body


@pytest.mark.parametrize("lines", HOSTS)
def test_host(port: int, lines: bytes) -> None:
    """F-010: exactly one Host, a host with or without a port, and nothing besides."""
    check_refused(exchange(port, b"GET /v2/ HTTP/1.1\r\n" + lines + b"\r\n"), 400)


@pytest.mark.parametrize(
    "host", ["a", "a:80", "127.0.0.1:5000", "[::1]", "[::1]:5000", "registry.example.com", "A_b-c"]
)
def test_good_host(port: int, host: str) -> None:
    """Names and addresses of any kind are hosts."""
    assert statuses(exchange(port, request("/v2/", host=host))) == [200, 200]


@pytest.mark.parametrize(("lines", "status"), [(b"", 200), (b"Host: a\r\n", 200), (b"Host: a/b\r\n", 400)])
def test_host_in_http_1_0(port: int, lines: bytes, status: int) -> None:
    """F-010: HTTP/1.0 needs no Host, but one that is given must be one."""
    answers = exchange(port, b"GET /v2/ HTTP/1.0\r\n" + lines + b"\r\n")

    check_refused(answers, status)


@pytest.mark.parametrize(
    ("block", "allowed"),
    [
        pytest.param(b"A: b\r\n" * 90, (200,), id="ninety"),
        pytest.param(b"A: b\r\n" * 200, (431,), id="two hundred"),
        pytest.param(b"A: b\r\n" * 100_000, (431,), id="a hundred thousand"),
        pytest.param(b"A: " + b"b" * 16_000 + b"\r\n", (200,), id="one of 16 KB"),
        pytest.param(b"A: " + b"b" * (1 << 20) + b"\r\n", (431,), id="one of 1 MiB"),
        pytest.param(b"a" * (1 << 20) + b": b\r\n", (400, 431), id="a name of 1 MiB"),
    ],
)
def test_large_head(port: int, block: bytes, allowed: tuple[int, ...]) -> None:
    """F-011: many headers, and large ones, are refused with 431 and the connection is closed."""
    answers = exchange(port, b"GET /v2/ HTTP/1.1\r\nHost: a\r\n" + block + b"\r\n")

    assert answers[0].status in allowed, answers
    assert len(answers) == (2 if 200 in allowed else 1)


@pytest.mark.parametrize("length", [8_200, 70_000])
@pytest.mark.parametrize("start", ["/v2/a", "/v2/?a="])
def test_long_target(port: int, start: str, length: int) -> None:
    """F-012: a target of more than 8 KiB is refused with 414."""
    answers = exchange(port, request(start + "a" * (length - len(start))))

    assert answers[0].status == 414


def test_endless_target(port: int) -> None:
    """F-012: one that does not even fit into the head is refused as such, and the connection is closed."""
    check_refused(exchange(port, request("/v2/" + "a" * (1 << 20))), 414, 431)


@pytest.mark.parametrize("line", REQUEST_LINES)
def test_no_request(port: int, line: bytes) -> None:
    """F-013: what is no request line of HTTP/1.0 or HTTP/1.1 is refused."""
    check_refused(exchange(port, line + b"\r\nHost: a\r\n\r\n"), 400, 505)


@pytest.mark.parametrize(
    "greeting",
    [
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(4) + b"\x04" + bytes(4), id="HTTP/2"),
        pytest.param(b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + b"\x01" * 200, id="TLS"),
        pytest.param(b"SSH-2.0-OpenSSH_9.9\r\n", id="SSH"),
    ],
)
def test_other_protocol(port: int, greeting: bytes) -> None:
    """F-013: a client that speaks something else is told so in HTTP, or left."""
    with Wire(port) as wire:
        wire.send(greeting)
        wire.end()

        assert statuses(wire.answers()) in ([], [400], [505])


def test_empty_lines_before_a_request(port: int) -> None:
    """RFC 9112 §2.2: empty lines before a request line are read over."""
    assert statuses(exchange(port, b"\r\n\r\n" + request("/v2/"))) == [200, 200]


@pytest.mark.parametrize("method", ["TRACE", "OPTIONS", "get", "GETS", "FOO", "A" * 1000])
def test_unknown_method(port: int, method: str) -> None:
    """F-014: a method that a route does not have gives 405 and those it has; TRACE does not repeat the request."""
    answers = exchange(port, request("/v2/", "X-Secret: planted", method=method))

    assert statuses(answers) == [405, 200]
    assert answers[0].headers["allow"] == "GET, HEAD"
    assert answers[0].codes == ["UNSUPPORTED"]
    assert b"planted" not in answers[0].body


@pytest.mark.parametrize("line", [b"OPTIONS *", b"GET *", b"TRACE *", b"CONNECT localhost:443", b"CONNECT /v2/"])
def test_target_that_is_no_path(port: int, line: bytes) -> None:
    """F-014: the server as a whole has nothing to offer, and is no proxy."""
    answers = exchange(port, line + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")

    assert answers[0].status in (400, 404, 405, 501)


def test_method_is_not_taken_for_a_push(port: int) -> None:
    """F-014: no method but PUT stores a manifest, in whatever case it is written."""
    path = f"/v2/{fresh_name()}/manifests/latest"
    lines = ("Content-Type: application/vnd.oci.image.index.v1+json", "Content-Length: 35")
    body = b'{"schemaVersion":2,"manifests":[]}\n'
    for method in ("put", "Put", "POST", "PATCH"):
        assert exchange(port, request(path, *lines, method=method, body=body))[0].status == 405

    assert exchange(port, request(path))[0].status == 404


def test_garbage_fills_no_log(serve: Serve) -> None:
    """F-013: what never became a request leaves no line, and no traceback, however much of it comes."""
    server = serve()
    wait_until(lambda: "upload_purge_scheduled" in server.output())  # the last line of a start
    before = server.output()
    for line in REQUEST_LINES:
        with Wire(server.port) as wire:
            wire.send(line + b"\r\n\r\n")
            wire.answers()
    exchange(server.port, request("/v2/after"))
    wait_until(lambda: "/v2/after" in server.output())

    added = server.output().removeprefix(before).splitlines()
    assert [line for line in added if "/v2/after" not in line and "GET /v2/ " not in line] == []
