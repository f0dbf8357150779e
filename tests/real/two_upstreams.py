"""A mirror of two registries, of which the second is under a namespace."""

from dataclasses import dataclass

from entrepot.testing.images import SampleManifest
from tests.real.docker_registry import DockerRegistry
from tests.servers import Server

NAMESPACE = "other.test"


@dataclass(frozen=True, slots=True)
class TwoUpstreams:
    """`mirror` mirrors `root` and, as `other.test`, `further`; each holds an image, both under the name `app:1`."""

    mirror: Server
    root: DockerRegistry
    further: DockerRegistry
    image_of_root: SampleManifest
    image_of_further: SampleManifest


def pulled_from(upstream: DockerRegistry) -> list[str]:
    """The paths of all that this registry was asked for to pull it."""
    return [*upstream.requests("HEAD", "/manifests/"), *upstream.requests("GET", "/v2/app")]
