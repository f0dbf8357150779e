"""Rows of whole images through a mirror: a thousand small ones that are cold, and one that is warm."""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import repeat, takewhile
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.contenders import BASELINE, ENTREPOT, NGINX, REGISTRY, Serving, open_registry
from bench.content import REPOSITORY, Volume
from bench.mirrors import open_mirror
from bench.pullers import Pull, pull_all
from bench.row import Measure, Row, Target
from bench.scene import MIB, Scene
from bench.upstream import TAGGED, Upstream, open_upstream
from entrepot.testing.images import OCI_LAYER, SampleManifest, image, random_blob
from tests.real.processes import ProgramFailed

MIRRORS = (ENTREPOT, REGISTRY, NGINX)
KIB = 1024
COLD_CLIENTS = 10
WARM_CLIENTS = 4
WARMINGS = 100


@contextmanager
def pulling_cold_images(scene: Scene) -> Iterator[Measure]:
    """Pull images by tag, each of a repository of its own, with ten clients."""
    with TemporaryDirectory(dir=scene.directory) as directory:
        volume, published = Volume(Path(directory) / "volume"), Path(directory) / "published"
        pulls = [
            publish(volume, published, f"library/image-{number:04}", image_of(5, 10 * KIB))
            for number in range(scene.scale.images)
        ]
        with open_upstream(scene.directory, published) as upstream:

            def measure(contender: str) -> float:
                with (
                    TemporaryDirectory(dir=scene.directory) as root,
                    open_mirror(contender, Path(root), upstream) as mirror,
                ):
                    pulled = pull_all(mirror.url, pulls, COLD_CLIENTS)
                    return pulled.pulls / pulled.seconds

            yield measure


@contextmanager
def pulling_warm_image(scene: Scene) -> Iterator[Measure]:
    """Pull an image by digest, again and again, from mirrors that hold it, and from Entrepot as its registry."""
    with TemporaryDirectory(dir=scene.directory) as directory:
        volume, published = Volume(Path(directory) / "volume"), Path(directory) / "published"
        made = image_of(10, MIB)
        publish(volume, published, REPOSITORY, made)
        pull = pull_of(REPOSITORY, made, made.digest)
        with (
            open_upstream(scene.directory, published) as upstream,
            open_warm(volume, upstream, Path(directory), pull) as servers,
        ):

            def measure(contender: str) -> float:
                end = time.monotonic() + scene.scale.seconds
                pulls = takewhile(lambda _: time.monotonic() < end, repeat(pull))
                pulled = pull_all(servers[contender].url, pulls, WARM_CLIENTS)
                return pulled.pulls / pulled.seconds

            yield measure


@contextmanager
def open_warm(volume: Volume, upstream: Upstream, directory: Path, pull: Pull) -> Iterator[Mapping[str, Serving]]:
    """Serve one image by mirrors that ask the upstream nothing more, and by Entrepot as a plain registry."""
    with ExitStack() as running:
        servers = {BASELINE: running.enter_context(open_registry(ENTREPOT, volume.root))}
        for kind in MIRRORS:
            root = Path(running.enter_context(TemporaryDirectory(dir=directory)))
            servers[kind] = running.enter_context(open_mirror(kind, root, upstream))
            warm(servers[kind].url, upstream, pull)
        yield servers


def warm(url: str, upstream: Upstream, pull: Pull) -> None:
    """Pull from a mirror until nothing of it comes from the upstream; docker-registry keeps what it has sent later."""
    for _ in range(WARMINGS):
        upstream.take_sent()
        pull_all(url, [pull], clients=1)
        if not upstream.take_sent():
            return
        time.sleep(0.1)
    raise ProgramFailed(f"{url} asks for the same image again and again")


def image_of(layers: int, size: int) -> SampleManifest:
    """An image of so many random layers of this size, beside its config."""
    return image([random_blob(size, OCI_LAYER) for _ in range(layers)])


def publish(volume: Volume, published: Path, repository: str, made: SampleManifest) -> Pull:
    """Put an image into a volume and before the upstream; return how it is pulled by a tag."""
    tag = made.digest.replace("sha256:", TAGGED)
    volume.add_manifest(repository, made, tag)
    volume.publish(published, repository)
    return pull_of(repository, made, tag)


def pull_of(repository: str, made: SampleManifest, reference: str) -> Pull:
    """How an image is pulled by a tag or a digest."""
    blobs = tuple(f"/v2/{repository}/blobs/{blob.digest}" for blob in made.blobs)
    return Pull(f"/v2/{repository}/manifests/{reference}", blobs)


ROWS = [
    Row(
        "mirror-warm-image",
        "a warm image of 10 layers of 1 MiB, 4 clients (baseline: a plain registry)",
        "images/s",
        pulling_warm_image,
        Target(baseline=0.95),
        (*MIRRORS, BASELINE),
    ),
    Row(
        "mirror-cold-images",
        "1,000 cold images of five layers of 10 KiB, 10 clients",
        "images/s",
        pulling_cold_images,
        Target(2),
        MIRRORS,
    ),
]
