"""Worker processes of a mirror: they share one download, survive each other, and start without an upstream."""

import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from entrepot.oci.digest import Digest
from entrepot.testing.faults import Gate, held
from entrepot.testing.images import image, image_of_size
from entrepot.testing.upstreams import TestUpstream, ThreadedUpstream
from tests.mirror.conftest import leftovers
from tests.mirror.serving import MIB, Mirror, read_until_cut, started, wait_until
from tests.repositories import error_codes


@pytest.fixture(scope="module")
def upstream() -> Iterator[TestUpstream]:
    """One upstream for all."""
    with ThreadedUpstream() as running:
        yield running


def test_sixteen_connections_are_one_download(tmp_path: Path, upstream: TestUpstream) -> None:
    """Whichever worker each of them meets."""
    with started(tmp_path, upstream) as server, ThreadPoolExecutor(16) as clients:
        mirror = Mirror(server, upstream)
        digest, content = mirror.add_blob(6 * MIB)
        answers = list(clients.map(lambda _: mirror.get(f"blobs/{digest}"), range(16)))

    assert [(answer.status_code, answer.content == content) for answer in answers] == [(200, True)] * 16
    assert mirror.upstream.count("GET", digest) == 1
    assert mirror.upstream.bytes_sent(digest) == len(content)


def test_the_upstream_may_be_down_when_the_mirror_starts(tmp_path: Path) -> None:
    """What was cached before is served, the rest is an error that says so, and all is well when it is back."""
    running = ThreadedUpstream()
    with running as upstream:
        mirror = Mirror(started(tmp_path, upstream), upstream)
        made = image(1)
        mirror.add_image("latest", made)
        with mirror.server:
            mirror.get("manifests/latest")
            for blob in made.blobs:
                mirror.get(f"blobs/{blob.digest}")
                wait_until(partial(mirror.is_kept, Digest(blob.digest)))
        running.stop()

        with mirror.server:
            assert mirror.get("manifests/latest").content == made.content
            for blob in made.blobs:
                assert mirror.get(f"blobs/{blob.digest}").content == blob.content
            assert mirror.get("tags/list").json()["tags"] == ["latest"]
            cold, content = mirror.add_blob(1000)
            for path in (f"blobs/{cold}", "manifests/never"):
                answer = mirror.get(path)
                assert (answer.status_code, error_codes(answer)) == (503, ["UNKNOWN"])

            running.start()
            wait_until(lambda: mirror.get(f"blobs/{cold}").content == content)
            wait_until(lambda: mirror.get("manifests/never").status_code == 404)


def test_a_killed_leader_is_followed_by_another(tmp_path: Path, upstream: TestUpstream) -> None:
    """Its own clients are cut off; those of the other worker, which goes on with the download, notice nothing."""
    with started(tmp_path, upstream) as server:
        mirror = Mirror(server, upstream)
        digest, content = mirror.add_blob(8 * MIB)
        upstream.misbehave(held(4 * MIB, Gate()), path=digest, times=1)
        clients = [mirror.begin(digest)]
        while len(holders(mirror.spool(digest), server.pid)) < 2:
            clients.append(mirror.begin(digest))

        os.kill(leader(mirror.spool(digest)), signal.SIGKILL)

        answers = [read_until_cut(client) for client in clients]
        assert all(content.startswith(got) for got in answers)
        assert content in answers
        assert mirror.get(f"blobs/{digest}").content == content
        wait_until(mirror.data(digest).exists)
        assert not mirror.spool(digest).exists()
        assert upstream.count("GET", digest) == 2


NO_ROOM = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (30000, 30000))
os.execvp(sys.argv[1], sys.argv[1:])
"""


def test_a_store_without_room_still_mirrors(tmp_path: Path, upstream: TestUpstream) -> None:
    """What is small enough is kept; a blob that is not goes past the cache, and nothing half is left."""
    with started(tmp_path, upstream, (sys.executable, "-c", NO_ROOM)) as server:
        mirror = Mirror(server, upstream)
        made = image_of_size(60_000)
        mirror.add_image("latest", made)
        for _ in range(2):
            assert mirror.get("manifests/latest").content == made.content
            assert mirror.get(f"manifests/{made.digest}").content == made.content
        for blob in made.blobs:
            assert mirror.get(f"blobs/{blob.digest}").content == blob.content

        for digest, content in (mirror.add_blob(50_000), mirror.add_blob(MIB)):
            answer = mirror.get(f"blobs/{digest}")
            assert (answer.status_code, answer.headers["X-Cache"], answer.content) == (200, "MISS", content)
        wait_until(lambda: leftovers(server.root) == [])
        assert not mirror.data(digest).exists()


def holders(path: Path, supervisor: int) -> set[int]:
    """The worker processes that have a file open."""
    workers = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    return {int(worker) for worker in workers if any(_targets(worker, str(path)))}


def _targets(process: str, path: str) -> Iterator[bool]:
    for number in os.listdir(f"/proc/{process}/fd"):
        try:
            yield os.readlink(f"/proc/{process}/fd/{number}") == path
        except FileNotFoundError:
            continue


def leader(path: Path) -> int:
    """The process that holds the lock on a file."""
    inode = str(path.stat().st_ino)
    for line in Path("/proc/locks").read_text().splitlines():
        _, kind, _, _, process, place, *_ = line.split()
        if kind == "FLOCK" and place.rpartition(":")[2] == inode:
            return int(process)
    raise AssertionError("nobody leads")
