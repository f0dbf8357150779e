"""What is there beside repositories: the version check, the page for load balancers, unknown paths, the access log."""

import re
from pathlib import Path

import pytest

from tests.repositories import Repository
from tests.servers import IN_MEMORY, Server, merge

VERSION = "registry/2.0"


def test_version_check(repository: Repository) -> None:
    """`/v2/` is an empty JSON object of two bytes."""
    answer = repository.client.get("/v2/")

    assert answer.status_code == 200
    assert answer.content == b"{}"
    assert answer.headers["Content-Type"].split(";")[0] == "application/json"
    assert answer.headers["Content-Length"] == "2"
    assert answer.headers["Docker-Distribution-Api-Version"] == VERSION


def test_version_check_by_head(repository: Repository) -> None:
    """HEAD of `/v2/` has the same headers and no body."""
    answer = repository.client.head("/v2/")

    assert answer.status_code == 200
    assert answer.headers["Content-Length"] == "2"
    assert answer.content == b""


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_root_is_alive(repository: Repository, method: str) -> None:
    """`/` is empty and must not be cached, for load balancers."""
    answer = repository.client.request(method, "/")

    assert answer.status_code == 200
    assert answer.content == b""
    assert answer.headers["Cache-Control"] == "no-cache"


def test_version_check_without_slash(repository: Repository) -> None:
    """`/v2` leads to `/v2/`."""
    answer = repository.client.get("/v2")

    assert answer.status_code == 301
    assert str(answer.request.url.join(answer.headers["Location"])).endswith("/v2/")


@pytest.mark.parametrize(
    "path",
    ["/v1/", "/v3/", "/favicon.ico", "/v2/_catalog/more", "/v2/name", "/v2/name/tags", "/v2/name/referrers/", "/v2//"],
)
def test_unknown_path(repository: Repository, path: str) -> None:
    """A path that is no route is not found, and the answer still tells the version of the API."""
    answer = repository.client.get(path)

    assert answer.status_code in (400, 404)
    assert answer.headers["Docker-Distribution-Api-Version"] == VERSION


PATHS = [
    "/v2/",
    "/v2",
    "/v2/_catalog",
    "/v2/unknown/tags/list",
    "/v2/unknown/manifests/latest",
    f"/v2/unknown/manifests/sha256:{'0' * 64}",
    f"/v2/unknown/blobs/sha256:{'0' * 64}",
    f"/v2/unknown/referrers/sha256:{'0' * 64}",
    "/v2/unknown/blobs/uploads/nothing",
    "/v2/UPPER/tags/list",
    "/nowhere",
]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", PATHS)
def test_every_answer_tells_the_version(repository: Repository, path: str, method: str) -> None:
    """Whatever is asked, no answer is a server error, and each tells the version of the API."""
    answer = repository.client.request(method, path)

    assert answer.status_code < 500
    assert answer.headers["Docker-Distribution-Api-Version"] == VERSION


def test_requests_are_logged_in_combined_format(tmp_path: Path) -> None:
    """GET and HEAD leave a line of the combined format each, at the latest when the server ends."""
    with Server(tmp_path, IN_MEMORY) as server, server.client(headers={"User-Agent": "combined/1.0"}) as client:
        client.get("/v2/t/x/manifests/latest")
        client.head("/v2/t/x/manifests/latest", headers={"Referer": "http://example.com/"})

    when = r"\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]"
    printed = (tmp_path / "log").read_text()
    for method, referer in (("GET", ""), ("HEAD", "http://example.com/")):
        request = f"{method} /v2/t/x/manifests/latest"
        line = rf'^127\.0\.0\.1 - - {when} "{request} HTTP/1\.1" 404 \d+ "{referer}" "combined/1\.0"$'
        assert re.search(line, printed, re.MULTILINE), printed


def test_access_log_is_switched_off(tmp_path: Path) -> None:
    """With `log.accesslog.disabled` no request leaves a line."""
    settings = merge(IN_MEMORY, {"log": {"accesslog": {"disabled": True}}})
    with Server(tmp_path, settings) as server, server.client(headers={"User-Agent": "unlogged/1.0"}) as client:
        client.get("/v2/")

    assert "unlogged/1.0" not in (tmp_path / "log").read_text()


def test_log_lines_cannot_be_forged(tmp_path: Path) -> None:
    """R33: quotes and control characters from a client do not end a field or a line of the access log."""
    with Server(tmp_path, IN_MEMORY) as server, server.client() as client:
        client.get("/v2/t/x/tags/list?n=%0A%22", headers={"User-Agent": 'a" 200 0 "-" "\\', "Referer": 'x"\ty'})

    [line] = [text for text in (tmp_path / "log").read_text().splitlines() if "/v2/t/x/tags/list" in text]
    assert re.fullmatch(
        r'127\.0\.0\.1 - - \[[^]]+\] "GET [^" ]+ HTTP/1\.1" 400 \d+ "(\\.|[^"\\])*" "(\\.|[^"\\])*"', line
    )
