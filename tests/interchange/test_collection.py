"""`garbage-collect`, of either program, removes what nothing needs of what Entrepot wrote, and only that."""

import pytest

from entrepot.testing.images import image, index
from tests.crash.layout_check import check
from tests.interchange.contents import Pushed, compare, everything, push
from tests.interchange.volume import BOTH, ServerName, Volume, other
from tests.repositories import Repository

pytestmark = pytest.mark.parametrize("collector", BOTH)


def test_nothing_that_is_needed_is_collected(volume: Volume, collector: ServerName) -> None:
    """Everything that a manifest names survives, under sha512 digests as well, and Entrepot goes on serving it."""
    contents = [
        *everything(),
        Pushed("sha512/image", image(algorithm="sha512"), ["v1"]),
        Pushed("sha512/index", index(algorithm="sha512"), ["v1"]),
    ]

    with volume.open("entrepot") as client:
        push(client, contents)
        printed = volume.collect(collector)
        compare(client, contents)

    assert ", 0 blobs" in printed
    assert check(volume.root) == []


def test_what_was_deleted_is_collected_under_a_running_server(volume: Volume, collector: ServerName) -> None:
    """Entrepot believes the directory, not its memory: what was collected is unknown at once and pushed anew."""
    kept, deleted = image(), image()

    with volume.open("entrepot") as client:
        repository = Repository(client, "a")
        repository.push(kept, "kept")
        repository.push(deleted, "deleted")
        assert repository.delete(f"manifests/{deleted.digest}").status_code == 202
        printed = volume.collect(collector)

        for blob in deleted.blobs:
            assert repository.head(f"blobs/{blob.digest}").status_code == 404
        repository.push(deleted, "again")
        compare(client, [Pushed("a", kept, ["kept"]), Pushed("a", deleted, ["again"])])

    assert printed.count("blob eligible for deletion") == len(deleted.blobs) + 1


def test_untagged_manifests_are_collected_on_request(volume: Volume, collector: ServerName) -> None:
    """`--delete-untagged` finds the tags' histories that Entrepot wrote, and leaves what the tags name now."""
    first, second = image(), image()

    with volume.open("entrepot") as client:
        repository = Repository(client, "a")
        repository.push(first, "latest")
        repository.push(second, "latest")
    volume.collect(collector, "--delete-untagged")

    with volume.open("entrepot") as client:
        compare(client, [Pushed("a", second, ["latest"])])
        assert Repository(client, "a").head(f"manifests/{first.digest}").status_code == 404


def test_both_remove_the_same_and_say_so(volume: Volume, collector: ServerName) -> None:
    """What one has left, the other has no more to do with; but for links to what is gone, which 2.8 leaves."""
    deleted, kept = image(), image()
    with volume.open("docker-registry") as client:
        repository = Repository(client, "a")
        repository.push(deleted, "deleted")
        repository.push(kept, "kept")
        assert repository.delete(f"manifests/{deleted.digest}").status_code == 202

    tried = volume.collect(collector, "--dry-run")
    assert tried.count("blob eligible for deletion") == len(deleted.blobs) + 1
    first = volume.collect(collector)
    second = volume.collect(other(collector))

    assert sorted(first.splitlines()) == sorted(tried.replace("would be freed", "freed").splitlines())
    assert ", 0 blobs" in second
    with volume.open("entrepot") as client:
        compare(client, [Pushed("a", kept, ["kept"])])
    assert check(volume.root) == [] or collector == "docker-registry"
