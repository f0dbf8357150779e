"""Each server goes on where the other stopped: pushes, moved tags, mounts and deletes."""

import pytest

from entrepot.testing.images import image, layer
from tests.crash.layout_check import check
from tests.interchange.contents import Pushed, compare, push
from tests.interchange.volume import BOTH, ServerName, Volume, other
from tests.repositories import Repository


@pytest.mark.parametrize("first", BOTH)
def test_a_tag_moves_from_server_to_server(volume: Volume, first: ServerName) -> None:
    """A tag that one server set is moved by the other, and the first then names the new manifest as well."""
    shared = layer()
    images = [image([shared, layer()]) for _ in range(3)]

    for server, moved in zip([first, other(first), first], images, strict=True):
        with volume.open(server) as client:
            Repository(client, "moving").push(moved, "latest")
        with volume.open(other(server)) as client:
            answer = Repository(client, "moving").get("manifests/latest", headers={"Accept": moved.media_type})
            assert answer.content == moved.content

    assert check(volume.root) == []


@pytest.mark.parametrize("first", BOTH)
def test_a_blob_of_one_is_mounted_by_the_other(volume: Volume, first: ServerName) -> None:
    """Content that one server stored needs not be sent again to the other."""
    pushed = image()

    with volume.open(first) as client:
        push(client, [Pushed("source", pushed, ["v1"])])
    with volume.open(other(first)) as client:
        target = Repository(client, "target")
        for blob in pushed.blobs:
            assert target.post("blobs/uploads/", params={"mount": blob.digest, "from": "source"}).status_code == 201
        assert target.put_manifest("v1", pushed).status_code == 201
    with volume.open(first) as client:
        compare(client, [Pushed("source", pushed, ["v1"]), Pushed("target", pushed, ["v1"])])


@pytest.mark.parametrize("first", BOTH)
def test_what_the_other_deleted_is_gone_and_can_be_pushed_again(volume: Volume, first: ServerName) -> None:
    """A manifest that one server wrote and the other deleted is gone for both, with its tags and no others."""
    kept, deleted = image(), image()
    contents = [Pushed("a", kept, ["kept"]), Pushed("a", deleted, ["one", "two"])]

    with volume.open(first) as client:
        push(client, contents)
    with volume.open(other(first)) as client:
        repository = Repository(client, "a")
        assert repository.delete(f"manifests/{deleted.digest}").status_code == 202
        assert repository.delete(f"blobs/{deleted.blobs[0].digest}").status_code == 202

    with volume.open(first) as client:
        compare(client, contents[:1])
        repository = Repository(client, "a")
        assert repository.head(f"manifests/{deleted.digest}").status_code == 404
        assert repository.head(f"blobs/{deleted.blobs[0].digest}").status_code == 404
        push(client, contents[1:])
    with volume.open(other(first)) as client:
        compare(client, contents)

    assert check(volume.root) == []
