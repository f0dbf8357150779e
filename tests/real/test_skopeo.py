"""skopeo copies images into Entrepot and out again, and lists, inspects and deletes them."""

import json
from pathlib import Path

import pytest

from entrepot.testing.images import DOCKER, OCI, Form, artifact, image, index
from tests.real import skopeo
from tests.real.layouts import dir_files, read_dir, write_dir, write_oci
from tests.real.processes import ProgramFailed
from tests.repositories import fresh_name
from tests.servers import Server

pytestmark = pytest.mark.usefixtures("skopeo_installed")


@pytest.fixture
def name(filesystem_server: Server) -> str:
    """A repository that nobody has used, as skopeo names it."""
    return f"{filesystem_server.address}/{fresh_name()}"


def tags_of(name: str) -> list[str]:
    """The tags that skopeo lists."""
    found: list[str] = json.loads(skopeo.list_tags(name))["Tags"]
    return found


def test_an_oci_layout_comes_back_byte_for_byte(name: str, tmp_path: Path) -> None:
    """Manifest, config and layers are the files that went in."""
    pushed = image(3)

    skopeo.copy(write_oci(tmp_path / "in", pushed, "v1"), f"docker://{name}:v1")
    skopeo.copy(f"docker://{name}:v1", f"dir:{tmp_path}/out")

    assert dir_files(pushed) == read_dir(tmp_path / "out")


@pytest.mark.parametrize("form", [OCI, DOCKER], ids=["OCI", "Docker"])
def test_an_index_comes_back_byte_for_byte(form: Form, name: str, tmp_path: Path) -> None:
    """An index with all its platforms keeps its bytes on the way from repository to repository, by tag and digest."""
    pushed = index(form=form)
    first, second = f"docker://{name}/one", f"docker://{name}/two"

    skopeo.copy(write_dir(tmp_path / "in", pushed), f"{first}:v1", "--all")
    skopeo.copy(f"{first}@{pushed.digest}", f"{second}:v2", "--all")
    skopeo.copy(f"{second}:v2", f"dir:{tmp_path}/out", "--all")

    assert dir_files(pushed) == read_dir(tmp_path / "out")


def test_an_artifact_is_shown_as_it_was_pushed(name: str, tmp_path: Path) -> None:
    """`inspect --raw` prints the manifest's bytes, members that skopeo does not know included."""
    pushed = artifact("application/vnd.example.sbom")

    skopeo.copy(write_oci(tmp_path / "in", pushed, "v1"), f"docker://{name}:v1")

    assert skopeo.inspect_raw(f"docker://{name}:v1") == pushed.content.decode()


def test_tags_are_listed_in_order(name: str, tmp_path: Path) -> None:
    """skopeo prints the tags of a repository as the registry sorts them."""
    source = write_oci(tmp_path / "in", image(1), "v1")
    for tag in ("v2", "latest", "v10"):
        skopeo.copy(source, f"docker://{name}:{tag}")

    assert tags_of(name) == ["latest", "v10", "v2"]


def test_a_deleted_image_is_gone(name: str, tmp_path: Path) -> None:
    """`skopeo delete` takes away the manifest and with it every tag that names it, and no other."""
    kept, deleted = image(1), image(1)
    skopeo.copy(write_oci(tmp_path / "kept", kept, "v1"), f"docker://{name}:kept")
    for tag in ("first", "second"):
        skopeo.copy(write_oci(tmp_path / "deleted", deleted, "v1"), f"docker://{name}:{tag}")

    skopeo.delete(f"{name}:first")

    assert tags_of(name) == ["kept"]
    assert skopeo.inspect_raw(f"docker://{name}:kept") == kept.content.decode()
    with pytest.raises(ProgramFailed, match="manifest unknown"):
        skopeo.inspect_raw(f"docker://{name}@{deleted.digest}")
