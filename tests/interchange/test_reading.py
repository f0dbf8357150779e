"""Each server serves a directory that the other wrote, byte for byte."""

import pytest

from entrepot.testing.images import digest_of, image, index, random_blob
from tests.crash.layout_check import check, leftovers, without_layers
from tests.interchange.contents import Pushed, compare, everything, push
from tests.interchange.volume import BOTH, ServerName, Volume
from tests.repositories import Repository


@pytest.mark.parametrize("reader", BOTH)
@pytest.mark.parametrize("writer", BOTH)
def test_what_one_wrote_the_other_serves(volume: Volume, writer: ServerName, reader: ServerName) -> None:
    """Manifests by tag and digest with their types, blobs, tags and the catalog are the same in every pairing."""
    contents = everything()

    with volume.open(writer) as client:
        push(client, contents)

    with volume.open(reader) as client:
        compare(client, contents)


def test_what_entrepot_wrote_has_distributions_form(volume: Volume) -> None:
    """Links hold a digest without a newline, every repository has its `_layers`, and nothing else lies around."""
    with volume.open("entrepot") as client:
        push(client, everything())

    assert check(volume.root) == []
    assert without_layers(volume.root) == []
    assert leftovers(volume.root) == []


def test_docker_registry_serves_sha512_content_that_entrepot_wrote(volume: Volume) -> None:
    """An image and an index under sha512 digests lie below `blobs/sha512`, where the other looks for them."""
    contents = [Pushed("a", image(algorithm="sha512"), ["v1"]), Pushed("b", index(algorithm="sha512"), ["v1"])]

    with volume.open("entrepot") as client:
        push(client, contents)
    with volume.open("docker-registry") as client:
        compare(client, contents)

    blobs = volume.root / "docker/registry/v2/blobs"
    assert {path.name for path in blobs.iterdir()} == {"sha512"}


def test_entrepot_serves_sha512_blobs_that_docker_registry_wrote(volume: Volume) -> None:
    """docker-registry keeps such a blob under its sha256 and makes the sha512 an alias of it: both names work."""
    blob = random_blob(algorithm="sha512")

    with volume.open("docker-registry") as client:
        Repository(client, "a").push_blob(blob)
    with volume.open("entrepot") as client:
        repository = Repository(client, "a")
        by_alias = repository.get(f"blobs/{blob.digest}")
        by_canonical = repository.get(f"blobs/{digest_of(blob.content, 'sha256')}")

    assert by_alias.content == by_canonical.content == blob.content
