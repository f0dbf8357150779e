"""A Docker daemon pulls Docker Hub's images through Entrepot from a registry of Debian's."""

from collections.abc import Callable
from pathlib import Path

import pytest

from entrepot.testing.images import DOCKER, OCI, Form, SampleManifest, busybox_image, image, index
from tests.conftest import Serve
from tests.real import skopeo
from tests.real.conftest import StartDockerd
from tests.real.docker_registry import DockerRegistry
from tests.real.dockerd import Dockerd
from tests.real.layouts import write_dir, write_oci
from tests.real.processes import ProgramFailed

pytestmark = pytest.mark.usefixtures("skopeo_installed")


def two_platforms(form: Form) -> SampleManifest:
    """An index of an image that no machine of ours runs, and of one that this machine does."""
    return index([image(1, form, platform={"architecture": "s390x", "os": "linux"}), busybox_image(form)], form)


@pytest.mark.parametrize(
    "build", [lambda: busybox_image(OCI), lambda: two_platforms(DOCKER)], ids=["OCI image", "Docker list"]
)
def test_dockerd_pulls_cold_warm_and_with_the_upstream_stopped(
    build: Callable[[], SampleManifest],
    upstream: DockerRegistry,
    serve: Serve,
    start_dockerd: StartDockerd,
    tmp_path: Path,
) -> None:
    """Each blob comes from the upstream once; after that pulls need the upstream no more, not even after a restart."""
    pushed = build()
    skopeo.copy(write_dir(tmp_path / "image", pushed), f"docker://{upstream.address}/library/busybox:latest", "--all")
    mirror = serve({"proxy": {"remoteurl": upstream.url}})
    dockerd = start_dockerd(mirrors=[mirror.url])

    assert pull_and_run(dockerd, "busybox") == pushed.digest
    fetched = upstream.requests("GET", "/blobs/")
    assert len(fetched) == len(set(fetched)) == 2

    assert pull_and_run(dockerd, "busybox") == pushed.digest
    assert upstream.requests("GET", "/blobs/") == fetched

    upstream.stop()
    assert pull_and_run(dockerd, "busybox") == pushed.digest

    mirror.stop()
    mirror.start()
    assert pull_and_run(start_dockerd(mirrors=[mirror.url]), f"busybox@{pushed.digest}") == pushed.digest


def test_dockerd_is_told_what_the_upstream_does_not_have(
    upstream: DockerRegistry, serve: Serve, start_dockerd: StartDockerd
) -> None:
    """A pull of an unknown image fails at the mirror, and the daemon goes on to Docker Hub, which it can not reach."""
    mirror = serve({"proxy": {"remoteurl": upstream.url}})
    dockerd = start_dockerd(mirrors=[mirror.url])

    with pytest.raises(ProgramFailed, match="proxyconnect"):
        dockerd.docker("pull", "unknown")
    assert upstream.requests("HEAD", "/v2/library/unknown/manifests/latest")
    with mirror.client() as client:
        assert "MANIFEST_UNKNOWN" in client.get("/v2/library/unknown/manifests/latest").text


def test_skopeo_can_not_push_to_a_mirror(upstream: DockerRegistry, serve: Serve, tmp_path: Path) -> None:
    """Writes are refused with a reason that the client prints, and nothing reaches the upstream."""
    mirror = serve({"proxy": {"remoteurl": upstream.url}})
    source = write_oci(tmp_path / "image", busybox_image(), "one")

    with pytest.raises(ProgramFailed, match="unsupported"):
        skopeo.copy(source, f"docker://{mirror.address}/library/busybox:latest")
    assert not upstream.requests("POST", "/v2/")


def pull_and_run(dockerd: Dockerd, name: str) -> str:
    """Pull an image, run it, remove it again, and return the digest under which the daemon got it."""
    dockerd.docker("pull", name)
    said = dockerd.docker("run", "--rm", "--network", "none", name, "echo", "alive")
    digest = dockerd.docker("image", "inspect", "--format", "{{index .RepoDigests 0}}", name)
    dockerd.docker("image", "rm", name)
    assert said == "alive\n"
    return digest.strip().partition("@")[2]
