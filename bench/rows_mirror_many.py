"""Rows of many clients that want the same cold blob at the same time."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import repeat
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.contenders import ENTREPOT, NGINX, REGISTRY, Serving
from bench.content import REPOSITORY, Volume
from bench.load import get_once
from bench.memory import peak_while
from bench.mirrors import open_mirror
from bench.pullers import Pull, Pulled, pull_all
from bench.row import Measure, Row, Target
from bench.scene import Scene
from bench.upstream import open_upstream

MIRRORS = (ENTREPOT, REGISTRY, NGINX)
CLIENTS = 8
FAILED = float("inf")


@contextmanager
def counting_bytes(scene: Scene) -> Iterator[Measure]:
    """Pull one blob with eight clients at the same time, and see how often the upstream sent it."""
    blob = scene.served.stream
    path = f"/v2/{REPOSITORY}/blobs/{blob.digest}"
    with open_upstream(scene.directory, scene.served.published) as upstream:

        def measure(contender: str) -> float:
            upstream.take_sent()
            # The mirror is closed before the log is read: by then nothing is still being sent.
            with (
                TemporaryDirectory(dir=scene.directory) as root,
                open_mirror(contender, Path(root), upstream) as mirror,
                ThreadPoolExecutor(CLIENTS) as clients,
            ):
                list(clients.map(get_once, [f"{mirror.url}{path}"] * CLIENTS))
            return sum(sent for asked, sent in upstream.take_sent() if asked == path) / blob.size

        yield measure


@contextmanager
def pulling_together(scene: Scene) -> Iterator[Measure]:
    """Pull one blob with eight clients at the same time, and see how much they get together."""
    blob = scene.served.stream
    path = f"/v2/{REPOSITORY}/blobs/{blob.digest}"
    with open_upstream(scene.directory, scene.served.published) as upstream:

        def measure(contender: str) -> float:
            with (
                TemporaryDirectory(dir=scene.directory) as root,
                open_mirror(contender, Path(root), upstream) as mirror,
            ):
                pulled = pull_at_once(mirror, path, CLIENTS)
                return pulled.bytes / pulled.seconds / 1e6

        yield measure


def pull_at_once(mirror: Serving, path: str, clients: int) -> Pulled:
    """Let so many clients, with a connection each, pull one blob."""
    return pull_all(mirror.url, repeat(Pull(path), clients), clients, connections=1)


@contextmanager
def crowding(scene: Scene, figure: Callable[[int, float], float]) -> Iterator[Measure]:
    """Pull one blob with a crowd; the figure is made of the upstream's GETs and the largest PSS of the mirror in MB."""
    with TemporaryDirectory(dir=scene.directory) as directory:
        volume, published = Volume(Path(directory) / "volume"), Path(directory) / "published"
        path = f"/v2/{REPOSITORY}/blobs/{volume.add_random(REPOSITORY, scene.scale.shared).digest}"
        volume.publish(published, REPOSITORY)
        with open_upstream(scene.directory, published) as upstream:

            def measure(contender: str) -> float:
                upstream.take_sent()
                with (
                    TemporaryDirectory(dir=scene.directory) as root,
                    open_mirror(contender, Path(root), upstream) as mirror,
                ):
                    try:
                        peak = peak_while(partial(pull_at_once, mirror, path, scene.scale.crowd), mirror.pid)
                    except (ConnectionError, TimeoutError):
                        # One client that fails is enough.
                        return FAILED
                return figure(len(upstream.take_sent()), peak)

            yield measure


ROWS = [
    Row(
        "mirror-together",
        "eight clients of one cold blob of 512 MiB: bytes from the upstream",
        "sizes",
        counting_bytes,
        Target(most=1.0),
        MIRRORS,
        less_is_better=True,
    ),
    Row(
        "mirror-together-rate",
        "the same, all clients together",
        "MB/s",
        pulling_together,
        Target(3, least=2000, either=True),
        MIRRORS,
    ),
    Row(
        "mirror-crowd",
        "1,000 clients of one cold blob of 16 MiB: GETs of the upstream",
        "GETs",
        partial(crowding, figure=lambda gets, _peak: gets),
        Target(most=1),
        MIRRORS,
        less_is_better=True,
    ),
    Row(
        "mirror-crowd-memory",
        "the same: PSS of all processes",
        "MB",
        partial(crowding, figure=lambda _gets, peak: peak),
        Target(most=200),
        MIRRORS,
        less_is_better=True,
    ),
]
