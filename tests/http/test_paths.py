"""Targets made to reach what they should not (F-022, R23): decoded once, joined to nothing, never sent elsewhere."""

import pytest

from tests.api.checks import snapshot
from tests.http.wire import Answer, exchange, request
from tests.servers import Server

DIGEST = f"sha256:{'0' * 64}"

PATHS = (
    "/v2/%00",
    "/v2/a/tags/list%00",
    "/v2/a%00b/tags/list",
    "/v2/../v2/",
    "/v2/%2e%2e/v2/",
    "/v2/%2e%2e/%2e%2e/etc/passwd",
    "/v2/..%2f..%2fetc%2fpasswd/tags/list",
    "/v2/a/../../etc/passwd/tags/list",
    "/v2/a/./tags/list",
    "/v2/.../tags/list",
    "/%2F%2F..%2F..%2Fetc/passwd",
    "//v2//",
    "//v2/",
    "/v2//tags/list",
    "/v2//a/tags/list",
    "/v2/a//tags/list",
    "/v2/a/tags//list",
    "/v2/a%5cb/tags/list",
    "/v2/a\\b/tags/list",
    "/v2/..\\..\\etc/tags/list",
    "/v2/%c0%ae%c0%ae/tags/list",
    "/v2/%c0%af/tags/list",
    "/v2/%e0%80%af/tags/list",
    "/v2/%ff/tags/list",
    "/v2/%/tags/list",
    "/v2/%zz/tags/list",
    "/v2/%2/tags/list",
    "/v2/%252e%252e/tags/list",
    "/v2/a%252fb/tags/list",
    "/v2/%0d%0aX-Planted:%20yes/tags/list/",
    "/v2/a/tags/list%0d%0aX-Planted:%20yes",
    "/v2/a/blobs/..%2f..%2fetc%2fpasswd",
    "/v2/a/blobs/sha256:..%2f..%2fetc",
    f"/v2/a/blobs/{DIGEST}%2f..%2f..",
    f"/v2/a/blobs/{DIGEST}%00",
    "/v2/a/manifests/..",
    "/v2/a/manifests/..%2f..%2fetc",
    "/v2/a/manifests/%2e%2e",
    "/v2/a/blobs/uploads/..%2f..",
    "/v2/a/blobs/uploads/%2e%2e?_state=x",
    f"/v2/a/referrers/{DIGEST}%2f..",
    "/v2/_catalog/..",
    "/.git/config",
    "/etc/passwd",
)


@pytest.fixture
def port(filesystem_server: Server) -> int:
    """The port of the shared server."""
    return filesystem_server.port


def check_refused(answer: Answer) -> None:
    """It is refused; nothing of the request got into a header."""
    assert answer.status in (400, 404, 405), answer
    assert "location" not in answer.headers
    assert "x-planted" not in answer.headers
    assert b"root:" not in answer.body


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_path_that_leads_astray(port: int, method: str, path: str) -> None:
    """Such a path names nothing, for readers and writers."""
    check_refused(exchange(port, request(path, "Content-Length: 0", method=method))[0])


def test_paths_change_nothing(filesystem_server: Server) -> None:
    """After all of them, with every method that writes, the data directory is as it was."""
    before = snapshot(filesystem_server.root)
    for path in PATHS:
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            exchange(filesystem_server.port, request(path, "Content-Length: 2", method=method, body=b"{}"))

    assert snapshot(filesystem_server.root) == before


@pytest.mark.parametrize("raw", ["/v2/\x80/tags/list", "/\xff", "/v2/\xc0\xaf/tags/list", "/v2/\x7f", "/v2/a b"])
def test_bytes_that_no_path_has(port: int, raw: str) -> None:
    """What is not printable ASCII has to be encoded in a target."""
    answers = exchange(port, request(raw))

    assert [answer.status for answer in answers] in ([400], [400, 200], [404, 200])


def test_encoded_slash(port: int) -> None:
    """`%2F` is a slash like any other: it leads to the same repository, and to no other place."""
    plain, encoded = exchange(port, request("/v2/a/b/tags/list") + request("/v2/a%2Fb/tags/list"))[:2]

    assert (plain.status, plain.body) == (encoded.status, encoded.body)
    assert plain.status == 404


def test_fragment(port: int) -> None:
    """A fragment, which no client may send, is no part of the path."""
    answers = exchange(port, request("/v2/#/../../etc/passwd"))

    assert (answers[0].status, answers[0].body) in ((200, b"{}"), (400, answers[0].body))


@pytest.mark.parametrize(
    "target", ["http://elsewhere/v2/", "http://elsewhere/v2", "https://elsewhere", "//elsewhere/v2"]
)
def test_target_with_another_host(port: int, target: str) -> None:
    """A target that names another host than the request does is refused, and leads nobody there."""
    check_refused(exchange(port, request(target))[0])


def test_upload_to_another_host(port: int) -> None:
    """No Location is made from such a target."""
    check_refused(
        exchange(port, request("http://elsewhere/v2/a/blobs/uploads/", "Content-Length: 0", method="POST"))[0]
    )


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST"])
def test_target_with_the_same_host(port: int, host: str) -> None:
    """RFC 9112 §3.2.2: a server takes targets in absolute form; hosts have no case."""
    assert exchange(port, request(f"http://{host}/v2/"))[0].status == 200


@pytest.mark.parametrize("path", ["/v2", "/v2/a/b/tags/list/"])
def test_redirects_stay_here(port: int, path: str) -> None:
    """The two redirects there are name a path only, the right one."""
    answer = exchange(port, request(path))[0]

    assert answer.status == 301
    assert answer.headers["location"] == ("/v2/" if path == "/v2" else "/v2/a/b/tags/list")
