"""Ranges and Accept as they come over the wire (F-024, F-026): parsed by the book, or ignored; never a server error."""

import json
import secrets

import pytest

from entrepot.testing.images import image
from tests.http.wire import exchange, request
from tests.repositories import Repository
from tests.servers import Server

CONTENT = secrets.token_bytes(10_000)
DIGITS = "\u0660-\u0665".encode().decode("latin-1")

PARTS = {
    "bytes=0-0": (0, 1),
    "bytes=-5": (9_995, 10_000),
    "bytes=9999-": (9_999, 10_000),
    "bytes=1-": (1, 10_000),
    "bytes=5000-99999": (5_000, 10_000),
}
NOTHING = ("bytes=-0", "bytes=5-2", "bytes=10000-", "bytes=99999-100000")
WHOLE = (
    "lines=0-1",
    "bytes",
    "bytes=",
    "bytes=-",
    "bytes=a-b",
    "bytes=+0-1",
    "bytes=0x0-0x1",
    "bytes=1_0-2_0",
    "bytes=0-1,5-6",
    "bytes=" + ",".join(f"{i}-{i}" for i in range(1000)),
    "bytes=" + "0-0," * 5000,
    f"bytes={DIGITS}",
    "bytes=0-" + "9" * 30,
    "bytes=" + "9" * 400 + "-",
    "bytes=--5",
    "bytes=0--1",
    "bytes=0-1;q=1",
)


@pytest.fixture(scope="module")
def blob(filesystem_server: Server) -> str:
    """The path of a blob that is CONTENT."""
    with filesystem_server.client() as client:
        repository = Repository(client)
        return repository.url(f"blobs/{repository.push_blob(CONTENT)}")


@pytest.mark.parametrize("asked", PARTS)
def test_range(filesystem_server: Server, blob: str, asked: str) -> None:
    """F-024: a range that selects something gives 206 with exactly that."""
    start, stop = PARTS[asked]
    answer = exchange(filesystem_server.port, request(blob, f"Range: {asked}"))[0]

    assert answer.status == 206
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/10000"
    assert answer.body == CONTENT[start:stop]


@pytest.mark.parametrize("asked", NOTHING)
def test_range_of_nothing(filesystem_server: Server, blob: str, asked: str) -> None:
    """F-024: one that selects nothing gives 416 and the size; an invalid one may be ignored (RFC 9110 §14.2)."""
    answer = exchange(filesystem_server.port, request(blob, f"Range: {asked}"))[0]

    assert answer.status in (416, 200)
    assert answer.status == 200 or answer.headers["content-range"] == "bytes */10000"


@pytest.mark.parametrize("asked", WHOLE, ids=lambda asked: asked[:24])
def test_range_that_is_none(filesystem_server: Server, blob: str, asked: str) -> None:
    """F-024: several ranges, other units and what is no range give the whole, or 416; never an error of the server."""
    answers = exchange(filesystem_server.port, request(blob, f"Range: {asked}"))

    assert len(answers) == 2
    assert answers[0].status in (200, 416)
    assert answers[0].status == 416 or answers[0].body == CONTENT


@pytest.mark.parametrize("condition", ['"stale"', 'W/"stale"', "Mon, 01 Jan 2024 00:00:00 GMT", "junk", '"' * 500])
def test_stale_condition(filesystem_server: Server, blob: str, condition: str) -> None:
    """F-024: If-Range that does not hold makes the range void."""
    answer = exchange(filesystem_server.port, request(blob, "Range: bytes=0-0", f"If-Range: {condition}"))[0]

    assert (answer.status, answer.body) == (200, CONTENT)


ACCEPTED = (
    "",
    "*/*",
    "*/*;q=0",
    "application/*;q=0.1",
    "text/html",
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json; q=0.8",
    ";;;,,,===",
    "\xe4\xf6\xfc",
    ", ".join(f"application/vnd.example.v{i}+json;q=0.5" for i in range(1500)),
    "a" * 64_000,
)


@pytest.mark.parametrize("accept", ACCEPTED, ids=lambda accept: accept[:20])
def test_accept(filesystem_server: Server, accept: str) -> None:
    """F-026: whatever is accepted, a manifest is served as it was pushed, or not at all; it is never converted."""
    made = image(1)
    with filesystem_server.client() as client:
        repository = Repository(client)
        repository.push(made, "latest")
    path = repository.url("manifests/latest")
    answers = exchange(filesystem_server.port, request(path, f"Accept: {accept}"))

    assert len(answers) == 2
    assert answers[0].status in (200, 404, 406)
    if answers[0].status == 200:
        assert answers[0].headers["content-type"] == made.media_type
        assert answers[0].body == made.content
    else:
        assert json.loads(answers[0].body)["errors"]


def test_several_accepts(filesystem_server: Server) -> None:
    """F-026: a list over many lines is one list."""
    made = image(1)
    with filesystem_server.client() as client:
        repository = Repository(client)
        repository.push(made, "latest")
    lines = [f"Accept: application/vnd.example.v{i}+json" for i in range(50)] + [f"Accept: {made.media_type}"]

    assert exchange(filesystem_server.port, request(repository.url("manifests/latest"), *lines))[0].body == made.content
