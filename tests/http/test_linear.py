"""Text made to be slow to parse (R31): whatever a client may send is parsed in a time that grows no faster than it."""

from collections.abc import Iterator

import pytest

from tests.http.processes import cpu_seconds
from tests.http.wire import Wire, exchange, request
from tests.servers import Server

DIGEST = f"sha256:{'0' * 64}"
LONG = 250_000
TIMES = 5

HEADERS = {
    "range": "Range: bytes=" + "0-" * (LONG // 2),
    "range list": "Range: bytes=" + "0-0,1-1," * (LONG // 8),
    "range digits": "Range: bytes=" + "1" * LONG,
    "range blanks": "Range: bytes=" + " " * LONG + "0-1",
    "if-none-match": "If-None-Match: " + '"a", ' * (LONG // 5),
    "if-none-match quotes": "If-None-Match: " + '"' * LONG,
    "if-none-match weak": "If-None-Match: " + "W/" * (LONG // 2),
    "accept": "Accept: " + "a/b;q=0.1, " * (LONG // 11),
    "accept semicolons": "Accept: a/b" + ";" * LONG,
    "content-range": "Content-Range: " + "0-" * (LONG // 2),
    "content-range digits": "Content-Range: " + "9" * LONG + "-",
    "content-type": "Content-Type: a/b" + ";a=b" * (LONG // 4),
    "authorization": "Authorization: Basic " + "=" * LONG,
    "authorization bearer": "Authorization: Bearer " + "a." * (LONG // 2),
    "forwarded": "Forwarded: " + 'host="' * (LONG // 6),
    "forwarded pairs": "Forwarded: " + "host=a;" * (LONG // 7),
    "x-forwarded-host": "X-Forwarded-Host: " + "a." * (LONG // 2) + "!",
    "x-forwarded-proto": "X-Forwarded-Proto: " + "https," * (LONG // 6),
    "host": "Host: " + "a." * (LONG // 2) + "!",
    "user-agent": "User-Agent: " + "\\" * LONG,
    "expect": "Expect: " + "1" * LONG,
}
"""A quarter of a megabyte each: more does not fit into a head."""

TARGETS = {
    "name": "/v2/" + "a/" * 4000 + "tags/list",
    "name dots": "/v2/" + "a." * 4000 + "/tags/list",
    "name dashes": "/v2/" + "a" + "-" * 8000 + "/tags/list",
    "name underscores": "/v2/" + "a__" * 2600 + "/tags/list",
    "tag": "/v2/a/manifests/" + "a." * 4000,
    "digest": "/v2/a/blobs/sha256:" + "0" * 8000,
    "digest algorithm": "/v2/a/blobs/" + "sha256+" * 1100 + ":0",
    "words": "/v2/" + "blobs/uploads/" * 560,
    "query": "/v2/_catalog?" + "&" * 8000,
    "query pairs": "/v2/_catalog?" + "n=1&" * 2000,
    "query escapes": "/v2/_catalog?last=" + "%25" * 2600,
    "number": "/v2/_catalog?n=" + "9" * 8000,
    "state": f"/v2/a/blobs/uploads/{DIGEST}?_state=" + "A" * 8000,
}
"""Eight kilobytes each, the most a target may have."""


@pytest.fixture
def computed(filesystem_server: Server) -> Iterator[None]:
    """The test makes the server compute for less than a second for each request: generous, and far from quadratic."""
    before = cpu_seconds(filesystem_server.pid)
    yield
    assert cpu_seconds(filesystem_server.pid) - before < TIMES


@pytest.mark.usefixtures("computed")
@pytest.mark.parametrize("case", HEADERS)
@pytest.mark.parametrize("path", ["/v2/_catalog", f"/v2/a/blobs/{DIGEST}"])
def test_long_header(filesystem_server: Server, path: str, case: str) -> None:
    """A header of a quarter of a megabyte is answered, or refused, without much computing."""
    for _ in range(TIMES):
        answers = exchange(filesystem_server.port, request(path, HEADERS[case]))

        assert answers
        assert answers[0].status < 500


@pytest.mark.usefixtures("computed")
@pytest.mark.parametrize("case", [case for case in HEADERS if case.startswith(("content", "forwarded", "x-for"))])
def test_long_header_of_an_upload(filesystem_server: Server, case: str) -> None:
    """The same for headers that only an upload looks at."""
    for _ in range(TIMES):
        with Wire(filesystem_server.port) as wire:
            wire.send(
                request("/v2/a/blobs/uploads/", HEADERS[case], "Content-Length: 0", "Connection: close", method="POST")
            )
            answers = wire.answers()

        assert answers[0].status < 500


@pytest.mark.usefixtures("computed")
@pytest.mark.parametrize("case", TARGETS)
def test_long_target(filesystem_server: Server, case: str) -> None:
    """A target as long as it may be is answered, or refused, without much computing."""
    for method in ("GET", "PUT", "DELETE", "POST", "PATCH"):
        answers = exchange(filesystem_server.port, request(TARGETS[case], "Content-Length: 0", method=method))

        assert answers[0].status < 500
