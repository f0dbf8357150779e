"""Bodies where none is wanted, bodies that are refused before they are read, and odd bodies that are taken."""

import gzip
import hashlib

import pytest

from tests.http.wire import Wire, begin_upload, exchange, request, statuses, stored
from tests.repositories import fresh_name
from tests.servers import Server

UNKNOWN = f"sha256:{'0' * 64}"
SMUGGLED = request("/v2/smuggled/tags/list")
MANIFEST = "Content-Type: application/vnd.oci.image.manifest.v1+json"


@pytest.fixture
def port(filesystem_server: Server) -> int:
    """The port of the shared server."""
    return filesystem_server.port


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
@pytest.mark.parametrize("path", ["/v2/", f"/v2/a/blobs/{UNKNOWN}", f"/v2/a/manifests/{UNKNOWN}", "/nowhere"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS"])
def test_body_of_a_request_that_needs_none(port: int, method: str, path: str, chunked: bool) -> None:
    """F-015: the body is read over, or the connection is closed; the next request is never taken from it."""
    size = len(SMUGGLED)
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (size, SMUGGLED) if chunked else SMUGGLED
    answers = exchange(port, request(path, framing, method=method, body=body), method)

    assert len(answers) in (1, 2)
    assert not any(b"smuggled" in answer.body for answer in answers)
    assert answers[-1].status == 200 or len(answers) == 1


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_long_body_of_a_request_that_needs_none(port: int, method: str) -> None:
    """F-015: a body of many megabytes is not read; the answer comes and the connection is closed."""
    with Wire(port) as wire:
        wire.send(request("/v2/", "Content-Length: 100000000", method=method))
        first = wire.answer()
        wire.send(SMUGGLED * 1000)

        assert first is not None
        assert first.status == (200 if method == "GET" else 405)
        assert wire.answer() is None


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
def test_refusal_without_reading_announces_the_close(port: int, chunked: bool) -> None:
    """A client whose body was not read is told not to use the connection again, before the server closes it."""
    framing = "Transfer-Encoding: chunked" if chunked else "Content-Length: 5"
    body = b"5\r\nhello\r\n0\r\n\r\n" if chunked else b"hello"
    answer = exchange(port, request("/v2/", framing, method="PUT", body=body))[0]

    assert answer.status == 405
    assert answer.headers["connection"] == "close"


REFUSED = {
    "405": ("/v2/", "PUT", ("Content-Length: 5",), 405),
    "404": (f"/v2/a/blobs/uploads/{'0' * 8}-0000-4000-8000-{'0' * 12}?_state=x", "PATCH", ("Content-Length: 5",), 404),
    "no route": ("/nowhere", "PUT", ("Content-Length: 5",), 404),
    "413": ("/v2/a/manifests/b", "PUT", (MANIFEST, "Content-Length: 5000000"), 413),
    "415": ("/v2/a/manifests/b", "PUT", (MANIFEST, "Content-Length: 5", "Content-Encoding: gzip"), 415),
    "400": ("/v2/A/manifests/b", "PUT", (MANIFEST, "Content-Length: 5"), 400),
}


@pytest.mark.parametrize("case", REFUSED)
def test_expectation_of_a_refused_request(port: int, case: str) -> None:
    """F-017: who waits for `100 Continue` gets the refusal instead, need not send the body, and is left."""
    path, method, lines, status = REFUSED[case]
    with Wire(port) as wire:
        wire.send(request(path, *lines, "Expect: 100-continue", method=method))
        answers = wire.answers()

    assert statuses(answers) == [status]
    assert answers[0].headers["connection"] == "close"


def test_expectation_that_is_met(port: int) -> None:
    """F-017: a request that will be served is told to go on, once."""
    location = begin_upload(port, fresh_name())
    with Wire(port) as wire:
        wire.send(request(location, "Expect: 100-Continue", "Content-Length: 5", method="PATCH"))
        interim = wire.answer()
        wire.send(b"hello" + request("/v2/", "Connection: close"))
        rest = wire.answers()

    assert interim is not None
    assert interim.status == 100
    assert statuses(rest) == [202, 200]
    assert stored(port, location) == 5


@pytest.mark.parametrize("value", ["200-ok", "100-continue, more", "100-continue=yes", "x" * 1000])
def test_unknown_expectation(port: int, value: str) -> None:
    """F-017: an expectation nobody knows gives 417, and the connection is closed."""
    location = begin_upload(port, fresh_name())
    answers = exchange(port, request(location, f"Expect: {value}", "Content-Length: 5", method="PATCH", body=b"hello"))

    assert statuses(answers) == [417]
    assert stored(port, location) == 0


@pytest.mark.parametrize(
    ("lines", "code"),
    [(["Expect: foo"], 417), (["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], 501)],
    ids=["expectation", "codings"],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_is_said_of_a_body_counts_for_those_that_have_none(
    port: int, method: str, lines: list[str], code: int
) -> None:
    """F-004, F-017: reading is no exception; the connection is closed."""
    assert statuses(exchange(port, request("/v2/", *lines, method=method), method))[0] == code


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "deflate", "br, gzip", "identity, gzip", "x" * 300, ""])
@pytest.mark.parametrize("target", ["manifest", "upload"])
def test_coded_content(port: int, target: str, coding: str) -> None:
    """F-023, R30: coded content is refused with 415, whether or not it would be a bomb; nothing is ever unpacked."""
    name = fresh_name()
    path = f"/v2/{name}/manifests/latest" if target == "manifest" else begin_upload(port, name)
    method = "PUT" if target == "manifest" else "PATCH"
    body = gzip.compress(bytes(1 << 24), 1)
    lines = (MANIFEST, f"Content-Encoding: {coding}", f"Content-Length: {len(body)}")
    answer = exchange(port, request(path, *lines, method=method, body=body))[0]

    assert answer.status == 415
    assert answer.codes == ["UNSUPPORTED"]


def test_identity_is_no_coding(port: int) -> None:
    """`Content-Encoding: identity` says that the content is as it is."""
    location = begin_upload(port, fresh_name())
    lines = ("Content-Encoding: identity", "Content-Length: 5")

    assert exchange(port, request(location, *lines, method="PATCH", body=b"hello"))[0].status == 202


def test_tiny_chunks(port: int) -> None:
    """F-007: a body in chunks of one byte each is taken, while other clients are answered as ever."""
    name, size = fresh_name(), 20_000
    location = begin_upload(port, name)
    content = bytes(i % 251 for i in range(size))
    chunks = [b"1\r\n%b\r\n" % content[i : i + 1] for i in range(size)]
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    with Wire(port) as wire:
        wire.send(request(f"{location}&digest={digest}", "Transfer-Encoding: chunked", method="PUT"))
        for start in range(0, size, 1000):
            wire.send(b"".join(chunks[start : start + 1000]))
            assert exchange(port, b"")[0].status == 200
        wire.send(b"0\r\n\r\n")
        answer = wire.answer()

    assert answer is not None
    assert answer.status == 201
    assert exchange(port, request(f"/v2/{name}/blobs/{digest}"))[0].body == content


def test_pipelined_requests(port: int) -> None:
    """Requests sent without waiting are answered in their order, whatever each comes to."""
    paths = ["/v2/", "/nowhere", "/v2/_catalog?n=1", "/v2/A/tags/list"] * 10
    answers = exchange(port, b"".join(request(path) for path in paths))

    assert statuses(answers) == [200, 404, 200, 400] * 10 + [200]
