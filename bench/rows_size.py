"""Rows of what grows with the number of things: memory under many pulls, long lists, the start on a full volume."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from statistics import median

from bench.contenders import ENTREPOT, REGISTRY, Serving, open_registry
from bench.content import REPOSITORY, Volume
from bench.load import get_once
from bench.memory import megabytes_of
from bench.readers import read_for, slow_readers
from bench.row import Measure, Row, Target
from bench.scene import Scene

BOTH = (ENTREPOT, REGISTRY)
PAGE = 100
LOOKS = 8


@contextmanager
def pulling_slowly(scene: Scene) -> Iterator[Measure]:
    """See the largest memory of a fresh server while many clients pull a large blob from it."""
    volume = Volume(scene.directory / "pulled")
    path = f"/v2/{REPOSITORY}/blobs/{volume.add_random(REPOSITORY, scene.scale.pulled).digest}"

    def measure(contender: str) -> float:
        with (
            open_registry(contender, volume.root) as server,
            slow_readers(f"{server.url}{path}", scene.scale.pulls) as readers,
        ):
            seen = []
            for _ in range(LOOKS):
                read_for(scene.scale.seconds / LOOKS, readers)
                seen.append(megabytes_of(server.pid))
            return max(seen)

    yield measure


@contextmanager
def open_crowded(scene: Scene) -> Iterator[dict[str, Serving]]:
    """Serve the volume of many repositories and tags."""
    with ExitStack() as running:
        yield {kind: running.enter_context(open_registry(kind, scene.crowded.root)) for kind in BOTH}


def paths_of_lists(scene: Scene) -> dict[str, str]:
    """A page from the middle of the catalog, one of the tags, and all tags."""
    middle = scene.scale.entries // 2
    return {
        "catalog": f"/v2/_catalog?n={PAGE}&last=team-{middle // 100:03}/app-50",
        "tags": f"/v2/tagged/tags/list?n={PAGE}&last=v{middle:05}",
        "all tags": "/v2/tagged/tags/list",
    }


@contextmanager
def listing(scene: Scene, name: str) -> Iterator[Measure]:
    """Time one list, several times in each round."""
    path = paths_of_lists(scene)[name]
    with open_crowded(scene) as servers:
        for server in servers.values():
            get_once(f"{server.url}{path}")
        yield lambda contender: median(get_once(f"{servers[contender].url}{path}") for _ in range(5)) * 1000


@contextmanager
def listing_often(scene: Scene) -> Iterator[Measure]:
    """See how much a server's memory grows from the first thirty lists to the next."""
    with open_crowded(scene) as servers:

        def measure(contender: str) -> float:
            server = servers[contender]
            seen = []
            for _ in range(2):
                for _ in range(10):
                    for path in paths_of_lists(scene).values():
                        get_once(f"{server.url}{path}")
                seen.append(megabytes_of(server.pid))
            return max(0.0, seen[1] - seen[0])

        yield measure


@contextmanager
def starting(scene: Scene) -> Iterator[Measure]:
    """Time a server from its start until it answers."""
    root = scene.full.root

    def measure(contender: str) -> float:
        started = time.monotonic()
        with open_registry(contender, root):
            return (time.monotonic() - started) * 1000

    yield measure


ROWS = [
    Row(
        "memory",
        "100 clients pull 256 MiB each: PSS of all processes",
        "MB",
        pulling_slowly,
        Target(most=150),
        less_is_better=True,
    ),
    Row(
        "catalog",
        "catalog of 20,000 repositories, 100 from the middle",
        "ms",
        partial(listing, name="catalog"),
        Target(1),
        less_is_better=True,
    ),
    Row(
        "tags",
        "20,000 tags, 100 from the middle (docker-registry sends all)",
        "ms",
        partial(listing, name="tags"),
        Target(1),
        less_is_better=True,
    ),
    Row(
        "all-tags",
        "20,000 tags in one answer",
        "ms",
        partial(listing, name="all tags"),
        Target(1),
        less_is_better=True,
    ),
    Row(
        "list-memory",
        "growth of PSS from the first thirty of these lists to the next",
        "MB",
        listing_often,
        Target(most=1),
        less_is_better=True,
    ),
    Row(
        "start",
        "start on a volume of 100,000 blobs until the first answer",
        "ms",
        starting,
        Target(most=1000),
        less_is_better=True,
    ),
]
