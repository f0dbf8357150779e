"""A mirror of two worker processes, over sockets on both sides: what its clients see of all that."""

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from entrepot.mirror.fill import HELD_BACK
from entrepot.oci.digest import Digest
from entrepot.testing.faults import Gate, cut, flipped, held, status
from entrepot.testing.images import image, index
from entrepot.testing.upstreams import TestUpstream, ThreadedUpstream
from tests.mirror.serving import MIB, Mirror, read_until_cut, started, wait_until
from tests.repositories import Repository, error_codes
from tests.servers import Server


@pytest.fixture(scope="module")
def upstream() -> Iterator[TestUpstream]:
    """One upstream for all."""
    with ThreadedUpstream() as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, upstream: TestUpstream) -> Iterator[Server]:
    """One server of two workers for all."""
    with started(tmp_path_factory.mktemp("mirror"), upstream) as running:
        yield running


@pytest.fixture
def mirror(server: Server, upstream: TestUpstream) -> Iterator[Mirror]:
    """A repository of its own for each test."""
    made = Mirror(server, upstream)
    # Each worker leaves an upstream alone for a moment that has failed again and again, as in the test before.
    wait_until(lambda: all(made.get("tags/list").status_code == 404 for _ in range(16)))
    yield made
    upstream.behave()


@pytest.mark.parametrize("size", [0, 1000, HELD_BACK + 1, 3 * MIB])
def test_a_cold_answer_looks_like_a_warm_one(mirror: Mirror, size: int) -> None:
    """Status, length, digest, type and tags are the same; so is what HEAD says before."""
    digest, content = mirror.add_blob(size)
    with mirror.server.client() as client:
        head = Repository(client, mirror.name).head(f"blobs/{digest}")
    cold = mirror.get(f"blobs/{digest}")
    wait_until(mirror.data(digest).exists)
    warm = mirror.get(f"blobs/{digest}")

    assert cold.content == warm.content == content
    for name in ("content-length", "content-type", "docker-content-digest", "etag", "accept-ranges", "cache-control"):
        assert head.headers[name] == cold.headers[name] == warm.headers[name]
    assert "transfer-encoding" not in cold.headers


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-99", 0, 100),
        ("bytes=-100", 3 * MIB - 100, 3 * MIB),
        (f"bytes=1000000-{3 * MIB}", 1_000_000, 3 * MIB),
    ],
)
def test_a_range_of_a_cold_blob_is_a_range(mirror: Mirror, asked: str, start: int, stop: int) -> None:
    """206, also where Docker asks for one byte past the end."""
    digest, content = mirror.add_blob(3 * MIB)

    answer = mirror.get(f"blobs/{digest}", Range=asked)

    assert (answer.status_code, answer.content) == (206, content[start:stop])
    assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{3 * MIB}"
    assert answer.headers["Content-Length"] == str(stop - start)


def test_ranges_of_a_warm_blob(mirror: Mirror) -> None:
    """One after the other: each its own bytes, and a hit; one past the end is refused, and changes nothing."""
    digest, content = mirror.add_blob(3 * MIB)
    mirror.get(f"blobs/{digest}")
    wait_until(mirror.data(digest).exists)

    for round_ in range(40):
        start = round_ * 65_537
        if round_ % 7 == 6:
            assert mirror.get(f"blobs/{digest}", Range=f"bytes={3 * MIB}-").status_code == 416
        answer = mirror.get(f"blobs/{digest}", Range=f"bytes={start}-{start + 65_535}")
        assert answer.status_code == 206
        assert answer.content == content[start : start + 65_536]
        assert answer.headers["X-Cache"] == "HIT"
    mirror.data(digest).unlink()
    assert mirror.get(f"blobs/{digest}", Range="bytes=0-1").headers["X-Cache"] == "MISS"


def test_a_range_past_the_end_of_a_cold_blob_is_refused(mirror: Mirror) -> None:
    """With its size, as of a warm one."""
    digest, _ = mirror.add_blob(MIB)

    answer = mirror.get(f"blobs/{digest}", Range=f"bytes={MIB}-")

    assert (answer.status_code, error_codes(answer)) == (416, ["RANGE_INVALID"])
    assert answer.headers["Content-Range"] == f"bytes */{MIB}"


def test_a_client_does_not_notice_that_the_upstream_broke_off(mirror: Mirror) -> None:
    """The rest is asked for where it was."""
    digest, content = mirror.add_blob(6 * MIB)
    mirror.upstream.misbehave(cut(3 * MIB), path=digest, times=1)

    assert mirror.get(f"blobs/{digest}").content == content
    assert mirror.upstream.count("GET", digest) == 2


def test_a_client_is_cut_off_when_the_upstream_stays_away(mirror: Mirror) -> None:
    """It can see that it has not got all, keeps nothing it could take for the blob, and gets it on the next try."""
    digest, content = mirror.add_blob(6 * MIB)
    mirror.upstream.misbehave(cut(0), path=digest, times=4)
    mirror.upstream.misbehave(cut(3 * MIB), path=digest, times=1)

    with pytest.raises(httpx.RemoteProtocolError):
        mirror.get(f"blobs/{digest}")

    assert not mirror.data(digest).exists()
    wait_until(lambda: mirror.get(f"blobs/{digest}").content == content)


def test_a_client_is_cut_off_when_the_bytes_are_wrong(mirror: Mirror) -> None:
    """Before the last block of them."""
    digest, content = mirror.add_blob(6 * MIB)
    mirror.upstream.misbehave(flipped(6 * MIB - 1), path=digest, times=1)

    answer = mirror.begin(digest)

    assert (answer.status, int(answer.headers["Content-Length"])) == (200, len(content))
    assert len(read_until_cut(answer)) <= len(content) - HELD_BACK
    assert not mirror.data(digest).exists()
    assert mirror.get(f"blobs/{digest}").content == content


def test_a_small_wrong_blob_is_an_error_message(mirror: Mirror) -> None:
    """Nothing of it was sent yet."""
    digest, content = mirror.add_blob(1000)
    mirror.upstream.misbehave(flipped(5), path=digest, times=1)

    answer = mirror.get(f"blobs/{digest}")

    assert (answer.status_code, error_codes(answer)) == (502, ["UNKNOWN"])
    assert mirror.get(f"blobs/{digest}").content == content


def test_a_client_that_reads_nothing_does_not_hold_up_the_download(mirror: Mirror) -> None:
    """The upstream is drained as fast as it sends; who is slow reads from the disk."""
    digest, content = mirror.add_blob(32 * MIB)
    with socket.create_connection(("127.0.0.1", mirror.server.port), 60) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(
            f"GET /v2/{mirror.name}/blobs/{digest} HTTP/1.1\r\nHost: {mirror.server.address}\r\n\r\n".encode()
        )
        wait_until(mirror.data(digest).exists)

        assert mirror.upstream.bytes_sent(digest) == len(content)
        assert mirror.get(f"blobs/{digest}").content == content


def test_a_client_that_leaves_does_not_stop_the_download(mirror: Mirror) -> None:
    """The next one finds it done."""
    digest, content = mirror.add_blob(6 * MIB)
    mirror.upstream.misbehave(held(2 * MIB, gate := Gate()), path=digest, times=1)
    answer = mirror.begin(digest)
    answer.read(1000)
    answer.close()
    gate.open()

    wait_until(mirror.data(digest).exists)
    assert mirror.get(f"blobs/{digest}").content == content
    assert mirror.upstream.count("GET", digest) == 1


def test_an_image_is_pulled_and_pulled_again(mirror: Mirror) -> None:
    """By tag and by digest, with GET and HEAD; the second pull asks the upstream for the tag only."""
    made = index()
    mirror.add_image("latest", made)
    asked: list[tuple[str, str]] = []
    for _ in range(2):
        before = len(mirror.upstream.origin.requests)
        answer = mirror.get("manifests/latest")
        assert (answer.content, answer.headers["Content-Type"]) == (made.content, made.media_type)
        for one in made.in_push_order():
            assert mirror.get(f"manifests/{one.digest}").content == one.content
        for blob in made.all_blobs():
            assert mirror.get(f"blobs/{blob.digest}").content == blob.content
        requests = mirror.upstream.origin.requests[before:]
        asked = [(seen.method, seen.path.rpartition("/")[2]) for seen in requests]

    assert asked == [("HEAD", "latest")]


def test_writes_are_refused_and_change_nothing(mirror: Mirror) -> None:
    """405 for every one, in the spec's words, before the body is looked at."""
    made = image(1)
    mirror.add_image("latest", made)
    mirror.get("manifests/latest")
    before = content_of(mirror.server.root)
    uploads = f"/v2/{mirror.name}/blobs/uploads/"
    with mirror.server.client() as client:
        repository = Repository(client, mirror.name)
        answers = [
            repository.put_manifest("latest", made),
            repository.put_manifest(made.digest, made),
            repository.put_bytes("other", b"nonsense", "text/plain"),
            repository.delete("manifests/latest"),
            repository.delete(f"manifests/{made.digest}"),
            repository.delete(f"blobs/{made.blobs[0].digest}"),
            client.post(uploads),
            client.post(uploads, params={"mount": made.blobs[0].digest, "from": mirror.name}),
            client.post(uploads, params={"digest": made.blobs[0].digest}, content=made.blobs[0].content),
            client.patch(f"{uploads}b5e5b2f0-7d0a-4b39-9a25-6f1de2f2f0aa", content=b"x"),
            client.put(f"{uploads}b5e5b2f0-7d0a-4b39-9a25-6f1de2f2f0aa", params={"digest": made.digest}),
            client.delete(f"{uploads}b5e5b2f0-7d0a-4b39-9a25-6f1de2f2f0aa"),
            client.get(f"{uploads}b5e5b2f0-7d0a-4b39-9a25-6f1de2f2f0aa"),
        ]

    for answer in answers:
        assert (answer.status_code, error_codes(answer)) == (405, ["UNSUPPORTED"])
    assert content_of(mirror.server.root) == before


def content_of(root: Path) -> dict[str, bytes]:
    """All files of the registry; what its readers have used is noted beside them, some time later."""
    files = (path for path in (root / "docker").rglob("*") if path.is_file())
    return {str(path): path.read_bytes() for path in files}


def test_every_answer_says_how_it_was_come_by(mirror: Mirror) -> None:
    """Cold and warm, by tag and by digest; also a refusal, and what could not be confirmed."""
    made = image(1)
    mirror.add_image("latest", made)
    blob = f"blobs/{made.blobs[0].digest}"
    asked = ["manifests/latest", "manifests/latest", f"manifests/{made.digest}", blob]
    assert [mirror.get(path).headers["X-Cache"] for path in asked] == ["MISS", "HIT", "HIT", "MISS"]
    wait_until(mirror.data(Digest(made.blobs[0].digest)).exists)
    assert [mirror.get(blob).headers["X-Cache"] for _ in range(4)] == ["HIT"] * 4
    refused = mirror.get("manifests/never")
    assert (refused.status_code, refused.headers["X-Cache"]) == (404, "MISS")

    mirror.upstream.misbehave(status(500), path="/v2/")
    answers = [mirror.get("manifests/latest"), mirror.get("tags/list")]
    for answer in answers:
        assert (answer.status_code, answer.headers["X-Cache"]) == (200, "STALE")
        assert answer.headers["Warning"].startswith('110 - "Response is Stale", 299 - ')
    assert mirror.get(blob).headers["X-Cache"] == "HIT"


@pytest.mark.parametrize(
    ("method", "path", "status_code"),
    [
        ("GET", "/v2/", 200),
        ("GET", "/v2/_catalog", 200),
        ("GET", "/v2/_catalog?n=-1", 400),
        ("POST", "/v2/library/app/blobs/uploads/", 405),
        ("PUT", "/v2/library/app/manifests/latest", 405),
        ("DELETE", "/v2/library/app/manifests/latest", 405),
        ("GET", "/v2/library/app/manifests/latest?ns=elsewhere.example", 404),
        ("GET", "/nothing", 404),
    ],
)
def test_what_needs_no_upstream_is_a_hit(server: Server, method: str, path: str, status_code: int) -> None:
    """Every reply says how it was come by, refusals too."""
    with server.client() as client:
        answer = client.request(method, path)

    assert (answer.status_code, answer.headers.get_list("X-Cache")) == (status_code, ["HIT"])
