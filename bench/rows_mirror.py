"""Rows of one client and an empty mirror: how fast a large blob comes through it, and how soon the first byte."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.contenders import DIRECT, ENTREPOT, NGINX, REGISTRY
from bench.content import REPOSITORY, Volume
from bench.load import first_byte, get_once
from bench.mirrors import open_mirror
from bench.row import Measure, Row, Target
from bench.scene import MIB, Scene
from bench.upstream import open_upstream

ALL = (ENTREPOT, REGISTRY, NGINX, DIRECT)
FIRST_OF = 8 * MIB
PAUSE = 0.3


@contextmanager
def pulling_cold(scene: Scene) -> Iterator[Measure]:
    """Pull one blob with one client."""
    blob = scene.served.stream
    with open_upstream(scene.directory, scene.served.published) as upstream:

        def measure(contender: str) -> float:
            with (
                TemporaryDirectory(dir=scene.directory) as root,
                open_mirror(contender, Path(root), upstream) as mirror,
            ):
                return blob.size / get_once(f"{mirror.url}/v2/{REPOSITORY}/blobs/{blob.digest}") / 1e6

        yield measure


@contextmanager
def waiting_for_first_bytes(scene: Scene) -> Iterator[Measure]:
    """Pull several blobs one after the other, each for the first time."""
    with TemporaryDirectory(dir=scene.directory) as directory:
        volume, published = Volume(Path(directory) / "volume"), Path(directory) / "published"
        blobs = [volume.add_random(REPOSITORY, FIRST_OF) for _ in range(scene.scale.firsts)]
        volume.publish(published, REPOSITORY)
        with open_upstream(scene.directory, published) as upstream:

            def measure(contender: str) -> float:
                with (
                    TemporaryDirectory(dir=scene.directory) as root,
                    open_mirror(contender, Path(root), upstream) as mirror,
                ):
                    urls = [f"{mirror.url}/v2/{REPOSITORY}/blobs/{blob.digest}" for blob in blobs]
                    return median(map(first_byte_alone, urls)) * 1000

            yield measure


def first_byte_alone(url: str) -> float:
    """Pull a blob and return the seconds until its first byte; by the end it has most likely been stored, too."""
    seconds = first_byte(url)
    time.sleep(PAUSE)
    return seconds


ROWS = [
    Row(
        "mirror-cold",
        "cold 512 MiB through the mirror, one client",
        "MB/s",
        pulling_cold,
        Target(1.5, direct=0.4),
        ALL,
    ),
    Row(
        "mirror-first-byte",
        "first byte of a cold blob of 8 MiB",
        "ms",
        waiting_for_first_bytes,
        Target(most_extra=5),
        ALL,
        less_is_better=True,
    ),
]
