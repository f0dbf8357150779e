"""Mounting blobs of other repositories: what can be mounted is linked, for everything else an upload begins (F-048)."""

import pytest

from entrepot.testing.images import random_blob
from tests.repositories import Repository, Upload, without_query


def check_begun(repository: Repository, **parameters: str) -> None:
    """The answer opens an ordinary session and tells nothing else."""
    answer = repository.post("blobs/uploads/", params=parameters)

    assert answer.status_code == 202
    assert answer.headers["Range"] == "0-0"
    assert answer.headers["Docker-Upload-UUID"]
    assert "Docker-Content-Digest" not in answer.headers
    blob = random_blob()
    assert Upload(repository.client, answer).finish(blob.digest, blob.content).status_code == 201


def test_mounted(repository: Repository) -> None:
    """201 with the blob's Location and digest; the blob is here from now on, and no session was begun."""
    blob = random_blob()
    source = repository.sibling()
    source.push_blob(blob)

    answer = repository.post("blobs/uploads/", params={"mount": blob.digest, "from": source.name})

    assert answer.status_code == 201
    assert without_query(answer.headers["Location"], "x").endswith(f"/v2/{repository.name}/blobs/{blob.digest}")
    assert answer.headers["Docker-Content-Digest"] == blob.digest
    assert answer.headers["Content-Length"] == "0"
    assert "Docker-Upload-UUID" not in answer.headers
    assert repository.get(f"blobs/{blob.digest}").content == blob.content


def test_from_itself(repository: Repository) -> None:
    """Mounting what is here already succeeds."""
    digest = repository.push_blob(random_blob())

    answer = repository.post("blobs/uploads/", params={"mount": digest, "from": repository.name})

    assert answer.status_code == 201


def test_mounted_twice(repository: Repository) -> None:
    """A mount can be repeated."""
    source = repository.sibling()
    digest = source.push_blob(random_blob())

    for _ in range(2):
        answer = repository.post("blobs/uploads/", params={"mount": digest, "from": source.name})
        assert answer.status_code == 201


@pytest.mark.parametrize("from_", ["unknown/name", "UPPER", "", "../..", "a" * 300, "a%00b", "a//b", "_catalog"])
def test_from_somewhere_else(repository: Repository, from_: str) -> None:
    """A source that is unknown, or can be none, is no error; an empty one is as good as none."""
    absent = random_blob().digest

    check_begun(repository, mount=absent, **{"from": from_})


@pytest.mark.parametrize("digest", ["", "latest", "sha256:short", "sha257:" + "0" * 64, "../x", "sha256:" + "A" * 64])
def test_bad_digest(repository: Repository, digest: str) -> None:
    """What is no digest cannot be mounted: an upload begins, or it is refused."""
    answer = repository.post("blobs/uploads/", params={"mount": digest, "from": "some/name"})

    assert answer.status_code in (202, 400)


def test_blob_that_is_elsewhere(repository: Repository) -> None:
    """R10: the named source must itself hold the blob; that a third repository does changes nothing."""
    blob = random_blob()
    repository.sibling().push_blob(blob)
    source = repository.sibling()
    source.push_blob(random_blob())

    check_begun(repository, mount=blob.digest, **{"from": source.name})

    assert repository.head(f"blobs/{blob.digest}").status_code == 404


@pytest.mark.parametrize("named", [True, False], ids=["from", "anonymous"])
def test_deleted_blob(repository: Repository, named: bool) -> None:
    """R6: a blob that its only repository deleted cannot be mounted any more, even while its bytes still lie there."""
    blob = random_blob()
    source = repository.sibling()
    source.push_blob(blob)
    source.delete(f"blobs/{blob.digest}")

    check_begun(repository, mount=blob.digest, **({"from": source.name} if named else {}))

    assert repository.head(f"blobs/{blob.digest}").status_code == 404


def test_mount_of_a_deleted_copy(repository: Repository) -> None:
    """R6: a mounted blob lives on in each repository until that one deletes it."""
    blob = random_blob()
    source = repository.sibling()
    source.push_blob(blob)
    repository.post("blobs/uploads/", params={"mount": blob.digest, "from": source.name})

    repository.delete(f"blobs/{blob.digest}")

    assert source.get(f"blobs/{blob.digest}").content == blob.content
    assert repository.head(f"blobs/{blob.digest}").status_code == 404


def test_mount_with_a_digest_beside_it(repository: Repository) -> None:
    """A mount that fails falls back to the upload in the same request, where its bytes came along."""
    blob = random_blob()
    parameters = {"mount": blob.digest, "from": "unknown/name", "digest": blob.digest}

    answer = repository.post("blobs/uploads/", params=parameters, content=blob.content)

    assert answer.status_code in (201, 202)
    assert repository.head(f"blobs/{blob.digest}").status_code == (200 if answer.status_code == 201 else 404)
