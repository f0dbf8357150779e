"""A Docker daemon pushes to Entrepot, pulls from it and runs what it pulled."""

import re
from pathlib import Path

import pytest

from entrepot.testing.images import DOCKER, OCI, Form, busybox_image
from tests.conftest import Serve
from tests.real import skopeo
from tests.real.conftest import StartDockerd
from tests.real.dockerd import Dockerd
from tests.real.layouts import write_dir, write_oci

pytestmark = pytest.mark.usefixtures("skopeo_installed")


def test_an_image_pushed_by_dockerd_is_pulled_by_tag_and_by_digest(
    serve: Serve, start_dockerd: StartDockerd, tmp_path: Path
) -> None:
    """Another daemon gets the same image under both names, and it runs."""
    registry, dockerd = serve(), start_dockerd()
    name = f"{registry.address}/team/tools/busybox:v1"
    load(dockerd, name, tmp_path)
    said = re.search(r"digest: (sha256:[0-9a-f]{64})", dockerd.docker("push", name))

    assert said is not None
    other = start_dockerd()
    assert pull_and_run(other, name) == "alive\n"
    assert pull_and_run(other, f"{registry.address}/team/tools/busybox@{said.group(1)}") == "alive\n"


def test_a_second_push_to_another_repository_sends_no_layer(
    serve: Serve, start_dockerd: StartDockerd, tmp_path: Path
) -> None:
    """The daemon mounts the layer that the registry has, and the image can be pulled from there as well."""
    registry, dockerd = serve(), start_dockerd()
    first, second = f"{registry.address}/one:v1", f"{registry.address}/two:v1"
    load(dockerd, first, tmp_path)
    dockerd.docker("push", first)
    dockerd.docker("tag", first, second)

    assert "Mounted from one" in dockerd.docker("push", second)
    assert pull_and_run(start_dockerd(), second) == "alive\n"


@pytest.mark.parametrize("form", [OCI, DOCKER], ids=["OCI", "Docker"])
def test_an_image_pushed_by_skopeo_runs_in_dockerd(
    form: Form, serve: Serve, start_dockerd: StartDockerd, tmp_path: Path
) -> None:
    """What one client pushed, the other pulls by tag and by digest, in both families of media types."""
    registry, pushed = serve(), busybox_image(form)
    skopeo.copy(write_dir(tmp_path / "image", pushed), f"docker://{registry.address}/busybox:v1")
    dockerd = start_dockerd()

    assert pull_and_run(dockerd, f"{registry.address}/busybox:v1") == "alive\n"
    assert pull_and_run(dockerd, f"{registry.address}/busybox@{pushed.digest}") == "alive\n"


def load(dockerd: Dockerd, name: str, directory: Path) -> None:
    """Put busybox into the daemon under this name without any registry."""
    archive = directory / "busybox.tar"
    skopeo.convert(write_oci(directory / "oci", busybox_image(), "one"), f"docker-archive:{archive}:{name}")
    dockerd.docker("load", "--input", str(archive))


def pull_and_run(dockerd: Dockerd, name: str) -> str:
    """Pull an image, return what it prints when run, and remove it again."""
    dockerd.docker("pull", name)
    said = dockerd.docker("run", "--rm", "--network", "none", name, "echo", "alive")
    dockerd.docker("image", "rm", name)
    return said
