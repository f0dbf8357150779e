"""Deleting manifests and tags: exactly what was named goes, at once (F-043)."""

import pytest

from entrepot.testing.images import SampleManifest, image, index
from tests.api.checks import check_refusal
from tests.repositories import Repository


@pytest.fixture(params=["sha256", "sha512"])
def made(request: pytest.FixtureRequest) -> SampleManifest:
    """An image under either digest."""
    return image(1, algorithm=request.param)


def tag(repository: Repository, made: SampleManifest, *tags: str) -> None:
    """Push under its own digest with these tags."""
    repository.push_blobs(made)
    assert repository.put_manifest(made.digest, made, tags=tags).status_code == 201


def test_digest_takes_its_tags_along(repository: Repository, made: SampleManifest) -> None:
    """Deleting by digest removes the manifest and every tag that names it, and no other."""
    other = image(1)
    tag(repository, made, "a", "b", "c")
    tag(repository, other, "other")

    answer = repository.delete(f"manifests/{made.digest}")

    assert answer.status_code == 202
    assert answer.headers["Content-Length"] == "0"
    for reference in (made.digest, "a", "b", "c"):
        check_refusal(repository.get(f"manifests/{reference}"), 404, "MANIFEST_UNKNOWN")
        check_refusal(repository.head(f"manifests/{reference}"), 404)
    assert repository.tags() == ["other"]
    assert repository.get("manifests/other").content == other.content


def test_deleted_twice(repository: Repository, made: SampleManifest) -> None:
    """What is gone cannot be deleted again, and can be pushed again."""
    tag(repository, made, "latest")

    assert repository.delete(f"manifests/{made.digest}").status_code == 202
    check_refusal(repository.delete(f"manifests/{made.digest}"), 404, "MANIFEST_UNKNOWN")
    check_refusal(repository.delete("manifests/latest"), 404, "MANIFEST_UNKNOWN")
    tag(repository, made, "latest")
    assert repository.get("manifests/latest").content == made.content


def test_tag_alone(repository: Repository, made: SampleManifest) -> None:
    """Deleting a tag leaves its manifest and the other tags of the same manifest."""
    tag(repository, made, "a", "b")

    answer = repository.delete("manifests/a")

    assert answer.status_code == 202
    assert answer.headers["Content-Length"] == "0"
    check_refusal(repository.get("manifests/a"), 404, "MANIFEST_UNKNOWN")
    assert repository.tags() == ["b"]
    assert repository.get(f"manifests/{made.digest}").content == made.content
    assert repository.get("manifests/b").content == made.content


def test_moved_tag_is_spared(repository: Repository, made: SampleManifest) -> None:
    """A tag that named the deleted manifest once, and names another now, stays."""
    later = image(1)
    tag(repository, made, "latest")
    tag(repository, later, "latest")

    assert repository.delete(f"manifests/{made.digest}").status_code == 202
    assert repository.get("manifests/latest").content == later.content


def test_child_of_an_index(repository: Repository) -> None:
    """Deleting a child leaves the index byte for byte; the child is not found."""
    whole = index()
    repository.push(whole, "latest")
    child = whole.children[0]

    assert repository.delete(f"manifests/{child.digest}").status_code == 202
    assert repository.get("manifests/latest").content == whole.content
    check_refusal(repository.get(f"manifests/{child.digest}"), 404, "MANIFEST_UNKNOWN")
    assert repository.get(f"manifests/{whole.children[1].digest}").content == whole.children[1].content


def test_index_leaves_its_children(repository: Repository) -> None:
    """Deleting an index leaves its children."""
    whole = index()
    repository.push(whole, "latest")

    assert repository.delete(f"manifests/{whole.digest}").status_code == 202
    for child in whole.children:
        assert repository.get(f"manifests/{child.digest}").content == child.content


def test_blobs_are_left(repository: Repository, made: SampleManifest) -> None:
    """Deleting a manifest deletes no blob."""
    tag(repository, made)

    assert repository.delete(f"manifests/{made.digest}").status_code == 202
    for blob in made.blobs:
        assert repository.get(f"blobs/{blob.digest}").content == blob.content


def test_other_repositories_keep_theirs(repository: Repository, made: SampleManifest) -> None:
    """R6: the same manifest in another repository stays, and reading it there does not bring it back here."""
    other = repository.sibling()
    tag(repository, made, "latest")
    tag(other, made, "latest")

    assert repository.delete(f"manifests/{made.digest}").status_code == 202
    for _ in range(5):
        assert other.get(f"manifests/{made.digest}").content == made.content
        assert other.get("manifests/latest").content == made.content
        assert repository.get(f"manifests/{made.digest}").status_code == 404
        assert repository.get("manifests/latest").status_code == 404


@pytest.mark.parametrize("reference", ["latest", f"sha256:{'0' * 64}", f"sha512:{'0' * 128}"])
def test_unknown(repository: Repository, reference: str) -> None:
    """What is unknown cannot be deleted, in an unknown repository and in a known one."""
    check_refusal(repository.delete(f"manifests/{reference}"), 404, "MANIFEST_UNKNOWN")
    repository.push(image(0), "other")
    check_refusal(repository.delete(f"manifests/{reference}"), 404, "MANIFEST_UNKNOWN")


def test_tag_that_looks_like_a_digest(repository: Repository) -> None:
    """`sha256-…` is a tag like any other, and deleting it deletes no manifest of that digest."""
    made = image(0)
    repository.push(made)
    name = made.digest.replace(":", "-")
    tag(repository, made, name)

    assert repository.delete(f"manifests/{name}").status_code == 202
    assert repository.get(f"manifests/{made.digest}").content == made.content
