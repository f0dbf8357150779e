"""How much is measured, and the content that several rows share, made when the first of them asks for it."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bench.content import REPOSITORY, Stored, Volume
from entrepot.testing.images import SampleManifest, image

MIB = 1 << 20


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


FULL = Scale()
QUICK = Scale(1, 64 * MIB, 16 * MIB, 64 * MIB, 20, 80, 2_000, 5_000)
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
