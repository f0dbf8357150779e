"""Rows of a mirror that has cached a hundred thousand blobs: its start, and its hits while it evicts half of them."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from bench.activity import wait_until_quiet
from bench.contenders import BASELINE, ENTREPOT, REGISTRY, Serving, open_registry
from bench.content import REPOSITORY, Volume
from bench.load import get_many, get_once
from bench.row import Measure, Row, Target
from bench.scene import Cached, Scene
from bench.upstream import Upstream, open_upstream
from tests.real.processes import ProgramFailed, run

AMPLE = {"maxsize": "100GiB"}
REMEMBERED = ("entrepot", "scheduler-state.json")
"""What servers write beside the content: the index of one, the times of expiry of the other."""
SLICE = 1.0
SLICES = 300
CALM = 5
CONNECTIONS = 4


@contextmanager
def starting_unindexed(scene: Scene) -> Iterator[Measure]:
    """Time a mirror from its start until it answers with a cached blob, when all it has is the content."""
    root = scene.cached.volume.root
    with open_upstream(scene.directory, scene.served.published) as upstream:

        def measure(contender: str) -> float:
            forget(root)
            return time_start(contender, scene, upstream)

        yield measure


@contextmanager
def starting_indexed(scene: Scene) -> Iterator[Measure]:
    """Time the same when the mirror has run on this content before."""
    root = scene.cached.volume.root
    with open_upstream(scene.directory, scene.served.published) as upstream:
        forget(root)
        with open_registry(ENTREPOT, root, upstream=upstream.server.url, bounds=AMPLE) as mirror:
            wait_until_quiet(mirror.pid)
        yield lambda contender: time_start(contender, scene, upstream)


def time_start(contender: str, scene: Scene, upstream: Upstream) -> float:
    """Start a mirror on all that is cached and return the milliseconds until the first blob has come."""
    started = time.monotonic()
    with open_registry(contender, scene.cached.volume.root, upstream=upstream.server.url, bounds=AMPLE) as mirror:
        get_once(hit_url(mirror, scene))
        return (time.monotonic() - started) * 1000


def hit_url(mirror: Serving, scene: Scene) -> str:
    """A blob that is cached, and that the upstream has too."""
    return f"{mirror.url}/v2/{REPOSITORY}/blobs/{scene.served.kib.digest}"


def forget(root: Path) -> None:
    """Leave only the content."""
    for name in REMEMBERED:
        path = root / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def hitting_while_evicting(scene: Scene) -> Iterator[Measure]:
    """See the latency of hits in the seconds in which a mirror evicts, and, as its baseline, when it has nothing to."""
    cached = scene.cached
    with open_upstream(scene.directory, scene.served.published) as upstream:

        def measure(contender: str) -> float:
            bounds: dict[str, Any] = {"maxsize": cached.size // 2} if contender == ENTREPOT else AMPLE
            with (
                TemporaryDirectory(dir=scene.directory) as directory,
                open_registry(
                    ENTREPOT, copy(cached, Path(directory)), upstream=upstream.server.url, bounds=bounds
                ) as mirror,
            ):
                if contender == ENTREPOT:
                    return median(p99_while_evicting(hit_url(mirror, scene), cached, Path(directory)))
                wait_until_quiet(mirror.pid)
                return median(p99(hit_url(mirror, scene)) for _ in range(CALM))

        yield measure


def copy(cached: Cached, directory: Path) -> Path:
    """Link all content below another directory, where it can be removed; no server writes into a file of content."""
    forget(cached.volume.root)
    run(["cp", "-al", f"{cached.volume.root}/.", str(directory)])
    return directory


def p99(url: str) -> float:
    """The milliseconds in which 99 of 100 hits are answered, for a second, with few connections."""
    return get_many(url, SLICE, {}, connections=CONNECTIONS, threads=1).p99


def p99_while_evicting(url: str, cached: Cached, root: Path) -> list[float]:
    """Return the p99 of each second in which content went away; raises ProgramFailed when none does."""
    paths = [Volume(root).data(digest) for digest in cached.layers]
    seen, left = [], count(paths)
    for _ in range(SLICES):
        before, latency, left = left, p99(url), count(paths)
        if left < before:
            seen.append(latency)
        elif seen:
            return seen
    raise ProgramFailed(f"nothing was evicted in {SLICES} s, or without an end")


def count(paths: list[Path]) -> int:
    """How many are there."""
    return sum(os.path.lexists(path) for path in paths)


ROWS = [
    Row(
        "mirror-start",
        "start of a mirror of 100,000 blobs, never indexed, until the first hit",
        "ms",
        starting_unindexed,
        Target(most=2000),
        (ENTREPOT, REGISTRY),
        less_is_better=True,
    ),
    Row(
        "mirror-restart",
        "the same when they are indexed",
        "ms",
        starting_indexed,
        Target(most=2000),
        (ENTREPOT, REGISTRY),
        less_is_better=True,
    ),
    Row(
        "mirror-eviction",
        "p99 of hits while half of 100,000 blobs are evicted (baseline: while none are)",
        "ms",
        hitting_while_evicting,
        Target(baseline=0.5),
        (ENTREPOT, BASELINE),
        less_is_better=True,
    ),
]
