"""Rows of pulling through an empty mirror; the upstream is nginx, which is no bottleneck and logs what it sent."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.contenders import Serving, open_registry, open_static
from bench.content import REPOSITORY, Stored
from bench.load import get_once
from bench.row import Measure, Row, Target
from bench.scene import Scene

CLIENTS = 8
SENT = re.compile(r'"GET (\S+) HTTP/1\.[01]" 20\d (\d+) ')


@dataclass(frozen=True, slots=True)
class Upstream:
    """A registry of one blob with an access log."""

    server: Serving
    blob: Stored
    log: Path

    @property
    def path(self) -> str:
        """The blob's."""
        return f"/v2/{REPOSITORY}/blobs/{self.blob.digest}"

    def take_sent(self) -> int:
        """Return the bytes of the blob that were sent since this was last asked."""
        text = self.log.read_text()
        self.log.write_text("")
        return sum(int(sent) for path, sent in SENT.findall(text) if path == self.path)


@contextmanager
def open_upstream(scene: Scene) -> Iterator[Upstream]:
    """Serve the content of the rows that read."""
    with TemporaryDirectory(dir=scene.directory) as directory:
        log = Path(directory) / "access.log"
        with open_static(scene.served.published, f"access_log {log} combined;") as server:
            yield Upstream(server, scene.served.stream, log)


@contextmanager
def pulling_cold(scene: Scene) -> Iterator[Measure]:
    """Pull one blob with one client."""
    with open_upstream(scene) as upstream:

        def measure(contender: str) -> float:
            with (
                TemporaryDirectory(dir=scene.directory) as root,
                open_registry(contender, Path(root), upstream=upstream.server.url) as mirror,
            ):
                return upstream.blob.size / get_once(f"{mirror.url}{upstream.path}") / 1e6

        yield measure


@contextmanager
def pulling_together(scene: Scene) -> Iterator[Measure]:
    """Pull one blob with eight clients at the same time, and see how often the upstream sent it."""
    with open_upstream(scene) as upstream:

        def measure(contender: str) -> float:
            upstream.take_sent()
            # The mirror is closed before the log is read: by then nothing is still being sent.
            with (
                TemporaryDirectory(dir=scene.directory) as root,
                open_registry(contender, Path(root), upstream=upstream.server.url) as mirror,
                ThreadPoolExecutor(CLIENTS) as clients,
            ):
                list(clients.map(get_once, [f"{mirror.url}{upstream.path}"] * CLIENTS))
            return upstream.take_sent() / upstream.blob.size

        yield measure


ROWS = [
    Row("mirror-cold", "cold 512 MiB through the mirror, one client", "MB/s", pulling_cold, Target(1.3)),
    Row(
        "mirror-together",
        "the same with eight clients: bytes from the upstream",
        "sizes",
        pulling_together,
        Target(most=1.0),
        less_is_better=True,
    ),
]
