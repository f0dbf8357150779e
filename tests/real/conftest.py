"""Real programs for the tests of this directory; each test is skipped, or fails with CI=true, where one is missing."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.programs import need
from tests.real.docker_registry import DockerRegistry
from tests.real.dockerd import Dockerd

StartDockerd = Callable[..., Dockerd]


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[DockerRegistry]:
    """An empty registry of Debian's to mirror."""
    need("docker-registry")
    with DockerRegistry(tmp_path / "upstream") as registry:
        yield registry


@pytest.fixture
def start_dockerd() -> Iterator[StartDockerd]:
    """Start daemons with nothing in them; all are ended after the test."""
    for program in ("dockerd", "docker", "containerd", "runc", "busybox"):
        need(program)
    if os.geteuid() != 0:
        pytest.skip("dockerd needs root")
    with ExitStack() as running:
        yield lambda **options: running.enter_context(Dockerd(**options))


@pytest.fixture
def skopeo_installed() -> str:
    """The path of skopeo."""
    return need("skopeo")
