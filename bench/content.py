"""What the servers serve: written straight into data directories of Distribution's layout, and linked for nginx."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from entrepot.testing.images import SampleManifest, digest_of

V2 = "docker/registry/v2"
PIECE = 1 << 20
REPOSITORY = "library/bench"


@dataclass(frozen=True, slots=True)
class Stored:
    """A blob that lies in a data directory."""

    digest: str
    size: int


class Volume:
    """A data directory; nothing here is durable, as it only has to last as long as the benchmark."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def data(self, digest: str) -> Path:
        """Where a blob lies."""
        algorithm, encoded = digest.split(":")
        return self.root / V2 / "blobs" / algorithm / encoded[:2] / encoded / "data"

    def add_random(self, repository: str, size: int) -> Stored:
        """Write a blob of random bytes and link it in a repository."""
        growing = self.root / "growing"
        self.root.mkdir(parents=True, exist_ok=True)
        hasher = hashlib.sha256()
        with growing.open("wb") as file:
            for piece in random_pieces(size):
                hasher.update(piece)
                file.write(piece)
        digest = f"sha256:{hasher.hexdigest()}"
        self.data(digest).parent.mkdir(parents=True)
        growing.rename(self.data(digest))
        self.link(f"{repository}/_layers/{digest.replace(':', '/')}", digest)
        return Stored(digest, size)

    def add_blob(self, repository: str, content: bytes) -> str:
        """Write a blob, link it in a repository and return its digest."""
        digest = self.add_content(content)
        self.link(f"{repository}/_layers/{digest.replace(':', '/')}", digest)
        return digest

    def add_manifest(self, repository: str, manifest: SampleManifest, tag: str) -> None:
        """Write a manifest with all its blobs and one tag."""
        for blob in manifest.all_blobs():
            self.add_blob(repository, blob.content)
        self.add_content(manifest.content)
        self.link(f"{repository}/_manifests/revisions/{manifest.digest.replace(':', '/')}", manifest.digest)
        self.add_tag(repository, manifest.digest, tag)

    def add_tag(self, repository: str, digest: str, tag: str) -> None:
        """Let a tag name a manifest."""
        tagged = f"{repository}/_manifests/tags/{tag}"
        self.link(f"{tagged}/index/{digest.replace(':', '/')}", digest)
        self.link(f"{tagged}/current", digest)

    def add_content(self, content: bytes) -> str:
        """Write bytes to where their digest says, and return it."""
        digest = digest_of(content)
        self.data(digest).parent.mkdir(parents=True, exist_ok=True)
        self.data(digest).write_bytes(content)
        return digest

    def link(self, directory: str, digest: str) -> None:
        """Write a link below `repositories`."""
        path = self.root / V2 / "repositories" / directory
        path.mkdir(parents=True, exist_ok=True)
        (path / "link").write_text(digest)

    def publish(self, directory: Path, repository: str) -> None:
        """Make a repository's blobs, manifests and tags files of a directory under the paths of their URLs."""
        source = self.root / V2 / "repositories" / repository
        target = directory / "v2" / repository
        for kind in ("blobs", "manifests"):
            (target / kind).mkdir(parents=True)
        for link in source.glob("_layers/*/*/link"):
            os.link(self.data(link.read_text()), target / "blobs" / link.read_text())
        for link in source.glob("_manifests/revisions/*/*/link"):
            os.link(self.data(link.read_text()), target / "manifests" / link.read_text())
        for link in source.glob("_manifests/tags/*/current/link"):
            os.link(self.data(link.read_text()), target / "manifests" / link.parent.parent.name)


def random_pieces(size: int) -> Iterator[bytes]:
    """Yield random bytes of this length in pieces."""
    for start in range(0, size, PIECE):
        yield os.urandom(min(PIECE, size - start))
