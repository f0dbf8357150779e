"""The registry that the mirrors pull from: nginx on published files, which is no bottleneck and logs what it sent."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.contenders import Serving, open_static

SENT = re.compile(r'"GET (\S+) HTTP/1\.[01]" 20\d (\d+) ')
# A tag cannot be looked up by nginx, so those whose digest a HEAD is to tell have it in their name.
TAGGED = "at-"
DIGESTS = """
        location ~ "/manifests/(?:sha256:|at-)([0-9a-f]{64})$" {
            default_type application/vnd.oci.image.manifest.v1+json;
            add_header Docker-Content-Digest sha256:$1;
        }
"""


@dataclass(frozen=True, slots=True)
class Upstream:
    """A running upstream and its access log."""

    server: Serving
    log: Path

    def take_sent(self) -> list[tuple[str, int]]:
        """Return the path and the bytes of each GET that was answered since this was last asked."""
        text = self.log.read_text()
        self.log.write_text("")
        return [(path, int(sent)) for path, sent in SENT.findall(text)]


@contextmanager
def open_upstream(scratch: Path, published: Path) -> Iterator[Upstream]:
    """Serve what was published; the log goes below `scratch`."""
    with TemporaryDirectory(dir=scratch) as directory:
        log = Path(directory) / "access.log"
        with open_static(published, f"access_log {log} combined;{DIGESTS}") as server:
            yield Upstream(server, log)
