"""How much is measured, and the content that several rows share, made when the first of them asks for it."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bench.content import REPOSITORY, Stored, Volume
from entrepot.testing.images import OCI_LAYER, SampleManifest, image, random_blob

MIB = 1 << 20
PAGE = 4096


@dataclass(frozen=True, slots=True)
class Scale:
    """Sizes in bytes, times in seconds, numbers of things."""

    seconds: float = 5
    stream: int = 512 * MIB
    large: int = 64 * MIB
    pulled: int = 256 * MIB
    pulls: int = 100
    small_pushes: int = 200
    entries: int = 20_000
    blobs: int = 100_000
    firsts: int = 15
    images: int = 1000
    crowd: int = 1000
    shared: int = 16 * MIB


FULL = Scale()
QUICK = Scale(1, 64 * MIB, 16 * MIB, 64 * MIB, 20, 80, 2_000, 5_000, 5, 50, 100, 2 * MIB)
"""To see that everything works; its figures say nothing."""


@dataclass(frozen=True, slots=True)
class Served:
    """One repository with an image and blobs of several sizes, for registries and, as plain files, for nginx."""

    volume: Volume
    published: Path
    manifest: SampleManifest
    kib: Stored
    mib: Stored
    large: Stored
    stream: Stored


@dataclass(frozen=True, slots=True)
class Cached:
    """Images that a mirror has pulled; `size` is that of all content."""

    volume: Volume
    size: int
    layers: tuple[str, ...]


class Scene:
    """A scratch directory and a scale; rows make what they need below it and remove what is large."""

    def __init__(self, directory: Path, scale: Scale) -> None:
        self.directory = directory
        self.scale = scale

    @cached_property
    def served(self) -> Served:
        """The content of all rows that read."""
        volume, published, manifest = Volume(self.directory / "served"), self.directory / "published", image(6)
        volume.add_manifest(REPOSITORY, manifest, "latest")
        sizes = (1024, MIB, self.scale.large, self.scale.stream)
        kib, mib, large, stream = (volume.add_random(REPOSITORY, size) for size in sizes)
        volume.publish(published, REPOSITORY)
        return Served(volume, published, manifest, kib, mib, large, stream)

    @cached_property
    def crowded(self) -> Volume:
        """As many repositories, and one more with as many tags."""
        volume = Volume(self.directory / "crowded")
        manifest, entries = image(1), range(self.scale.entries)
        for repository in [f"team-{number // 100:03}/app-{number % 100:02}" for number in entries]:
            for blob in manifest.blobs:
                volume.link(f"{repository}/_layers/{blob.digest.replace(':', '/')}", blob.digest)
            volume.link(f"{repository}/_manifests/revisions/{manifest.digest.replace(':', '/')}", manifest.digest)
        volume.add_manifest("tagged", manifest, "latest")
        for number in entries:
            volume.add_tag("tagged", manifest.digest, f"v{number:05}")
        return volume

    @cached_property
    def full(self) -> Volume:
        """A hundred thousand blobs."""
        volume = Volume(self.directory / "full")
        for number in range(self.scale.blobs):
            volume.add_content(str(number).encode())
        volume.add_manifest(REPOSITORY, image(1), "latest")
        return volume

    @cached_property
    def cached(self) -> Cached:
        """As many blobs, all but one of them in images of a hundred, and that one what the rows that read have."""
        volume, size, layers = Volume(self.directory / "cached"), 0, []
        for number in range(self.scale.blobs // 100):
            manifest = image([random_blob(PAGE, OCI_LAYER) for _ in range(99)])
            volume.add_manifest(f"library/image-{number:04}", manifest, "latest")
            size += len(manifest.content) + sum(len(blob.content) for blob in manifest.blobs)
            layers.append(manifest.blobs[-1].digest)
        volume.add_blob(REPOSITORY, self.served.volume.data(self.served.kib.digest).read_bytes())
        return Cached(volume, size, tuple(layers))
