"""Real programs for the tests of this directory; each test is skipped, or fails with CI=true, where one is missing."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from entrepot.testing.images import image, local_platform
from tests.conftest import Serve
from tests.programs import need, need_root
from tests.real.containerd import Containerd
from tests.real.docker_registry import DockerRegistry
from tests.real.dockerd import Dockerd
from tests.real.two_upstreams import NAMESPACE, TwoUpstreams
from tests.repositories import Repository

StartDockerd = Callable[..., Dockerd]


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[DockerRegistry]:
    """An empty registry of Debian's to mirror."""
    need("docker-registry")
    with DockerRegistry(tmp_path / "upstream") as registry:
        yield registry


@pytest.fixture
def two_upstreams(upstream: DockerRegistry, serve: Serve, tmp_path: Path) -> Iterator[TwoUpstreams]:
    """A mirror of `upstream`, and of another one below a namespace; each holds an image of its own as `app:1`."""
    with DockerRegistry(tmp_path / "further") as further:
        images = [image(2, platform=local_platform()) for _ in range(2)]
        for registry, held in zip((upstream, further), images, strict=True):
            with httpx.Client(base_url=registry.url, trust_env=False) as client:
                Repository(client, "app").push(held, "1")
        named = [{"namespace": NAMESPACE, "remoteurl": further.url}]
        mirror = serve({"proxy": {"remoteurl": upstream.url, "upstreams": named}})
        yield TwoUpstreams(mirror, upstream, further, *images)


@pytest.fixture
def containerd() -> Iterator[Containerd]:
    """A daemon with nothing in it, ended after the test."""
    for program in ("containerd", "ctr"):
        need(program)
    need_root("containerd")
    with Containerd() as daemon:
        yield daemon


@pytest.fixture
def start_dockerd() -> Iterator[StartDockerd]:
    """Start daemons with nothing in them; all are ended after the test."""
    for program in ("dockerd", "docker", "containerd", "runc", "busybox"):
        need(program)
    need_root("dockerd")
    with ExitStack() as running:
        yield lambda **options: running.enter_context(Dockerd(**options))


@pytest.fixture
def skopeo_installed() -> str:
    """The path of skopeo."""
    return need("skopeo")
