"""Assertions on what a registry shows of blobs, manifests and tags."""

from entrepot.testing.images import SampleBlob, SampleManifest
from tests.repositories import Repository


def check_blob(repository: Repository, blob: SampleBlob, *, present: bool | None) -> None:
    """Assert that a blob is served byte for byte, or is unknown; with None, either of them."""
    answer = repository.get(f"blobs/{blob.digest}")
    if present is None:
        present = answer.status_code != 404
    assert (answer.status_code, answer.content) == (200, blob.content) if present else answer.status_code == 404


def check_manifest(
    repository: Repository, reference: str, expected: list[SampleManifest], *, may_be_absent: bool = False
) -> bool:
    """Assert that one of these manifests is served with its blobs; return False for one that may be absent and is."""
    answer = repository.get(f"manifests/{reference}")
    if may_be_absent and answer.status_code == 404:
        return False
    assert answer.status_code == 200, answer.text
    found = {manifest.content: manifest for manifest in expected}[answer.content]
    for blob in found.all_blobs():
        check_blob(repository, blob, present=True)
    return True


def check_list(repository: Repository, tags: tuple[str, ...]) -> None:
    """Assert that those of these tags that are listed are served."""
    answer = repository.get("tags/list")
    listed = answer.json()["tags"] if answer.status_code == 200 else []
    for tag in set(listed) & set(tags):
        assert repository.get(f"manifests/{tag}").status_code == 200
