"""Rows of pushing, each to an empty data directory; all answers are given when the content is on the disk."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from bench.contenders import open_registry
from bench.content import REPOSITORY
from bench.load import put_file
from bench.pushers import push_small
from bench.row import Measure, Row, Target
from bench.scene import Scene
from tests.repositories import with_query

SMALL = 10 * 1024


@contextmanager
def pushing_large(scene: Scene) -> Iterator[Measure]:
    """Push one blob in one PUT with one client."""
    blob = scene.served.stream
    path = scene.served.volume.data(blob.digest)

    def measure(contender: str) -> float:
        with TemporaryDirectory(dir=scene.directory) as root, open_registry(contender, Path(root)) as server:
            opened = httpx.post(f"{server.url}/v2/{REPOSITORY}/blobs/uploads/", trust_env=False)
            location = str(opened.url.join(opened.headers["Location"]))
            return blob.size / put_file(with_query(location, digest=blob.digest), path) / 1e6

    yield measure


@contextmanager
def pushing_small(scene: Scene) -> Iterator[Measure]:
    """Push many blobs with eight clients."""

    def measure(contender: str) -> float:
        with TemporaryDirectory(dir=scene.directory) as root, open_registry(contender, Path(root)) as server:
            return push_small(server.url, REPOSITORY, scene.scale.small_pushes, SMALL)

    yield measure


ROWS = [
    Row("push-large", "push 512 MiB in one PUT", "MB/s", pushing_large, Target(2)),
    Row("push-small", "push 200 blobs of 10 KiB, 8 clients", "blobs/s", pushing_small, Target(1)),
]
