"""What is unknown or wrong: an empty registry, manifests that are missing, malformed, or incomplete."""

import pytest

from entrepot.oci.descriptor import OCI_INDEX
from entrepot.testing.images import image, random_blob
from tests.conformance.shapes import missing_digest, sparse_image, sparse_index
from tests.repositories import Repository, error_codes


def test_ping(repository: Repository) -> None:
    """`/v2/` answers 200: the specification is implemented here."""
    assert repository.client.get("/v2/").status_code == 200


def test_tags_of_an_unknown_repository(repository: Repository) -> None:
    """A repository that nobody pushed to has no tag list."""
    assert repository.get("tags/list").status_code == 404


@pytest.mark.parametrize("digest", [missing_digest(), random_blob(algorithm="sha512").digest], ids=["sha256", "sha512"])
def test_referrers_in_an_unknown_repository(repository: Repository, digest: str) -> None:
    """The referrers of anything are an empty index there, never 404."""
    answer = repository.get(f"referrers/{digest}")

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == OCI_INDEX
    assert answer.json() == {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}


@pytest.mark.parametrize("reference", [missing_digest(), "missing-tag"], ids=["digest", "tag"])
def test_missing_manifest(repository: Repository, reference: str) -> None:
    """GET and HEAD of an unknown digest or tag answer 404, in an unknown repository and in a known one."""
    for _ in range(2):
        assert repository.get(f"manifests/{reference}").status_code == 404
        assert repository.head(f"manifests/{reference}").status_code == 404
        repository.push(image(1), "other")


def test_malformed_digest_of_a_manifest(repository: Repository) -> None:
    """PUT refuses it with 400, GET answers 400 or 404."""
    made = image(1)
    repository.push_blobs(made)

    assert repository.put_manifest("sha256:baddigeststring", made).status_code == 400
    assert repository.get("manifests/sha256:baddigeststring").status_code in (400, 404)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_manifest_under_the_digest_of_other_bytes(repository: Repository, algorithm: str) -> None:
    """Two spaces more than the digest stands for, and the manifest is refused and not stored under either digest."""
    made = image(algorithm=algorithm)
    repository.push_blobs(made)

    answer = repository.put_bytes(f"{made.digest}", made.content + b"  ", made.media_type)

    assert answer.status_code == 400
    assert repository.head(f"manifests/{made.digest}").status_code == 404


@pytest.mark.parametrize("sparse", [sparse_image, sparse_index], ids=["layer", "child"])
def test_sparse_manifest_is_refused(repository: Repository, sparse: object) -> None:
    """A manifest that names what is not there is refused with MANIFEST_BLOB_UNKNOWN."""
    assert callable(sparse)
    made = sparse()
    repository.push_blobs(made)
    for child in made.children:
        repository.push(child)

    answer = repository.put_manifest("latest", made)

    assert answer.status_code == 400
    assert error_codes(answer) == ["MANIFEST_BLOB_UNKNOWN"]
    assert repository.head("manifests/latest").status_code == 404
