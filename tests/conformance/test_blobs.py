"""Blobs by every way of sending them, with both digest algorithms: created, looked at, pulled, deleted; or refused."""

import pytest

from entrepot.testing.images import SampleBlob, digest_of, random_blob
from tests.conformance.styles import STYLES, Style
from tests.repositories import Repository


@pytest.fixture(params=STYLES)
def style(request: pytest.FixtureRequest) -> Style:
    """Each way of sending in turn."""
    return STYLES[request.param]


CONTENTS = {"random": None, "empty": b"", "empty-json": b"{}", "one-byte": b"\x00", "tar-end": bytes(1024)}


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_blob_is_created_and_pullable(
    repository: Repository, style: Style, algorithm: str, content: bytes | None
) -> None:
    """The blob is created, its Location gives its bytes, HEAD and GET name it by the digest that was asked for."""
    blob = random_blob(2048, algorithm=algorithm) if content is None else SampleBlob(content, algorithm=algorithm)

    answer = style(repository, blob, blob.digest)

    assert answer.status_code == 201, answer.text
    assert answer.headers["Docker-Content-Digest"] == blob.digest
    location = repository.client.get(answer.headers["Location"])
    for found in (location, repository.get(f"blobs/{blob.digest}")):
        assert found.status_code == 200
        assert found.content == blob.content
        assert found.headers["Content-Length"] == str(len(blob.content))
        assert found.headers["Docker-Content-Digest"] == blob.digest
    looked = repository.head(f"blobs/{blob.digest}")
    assert looked.status_code == 200
    assert looked.content == b""
    assert looked.headers["Content-Length"] == str(len(blob.content))
    assert looked.headers["Docker-Content-Digest"] == blob.digest


def test_blob_is_deleted_at_once(repository: Repository, style: Style, algorithm: str) -> None:
    """After DELETE the next HEAD finds nothing, and the same blob can be pushed again."""
    blob = random_blob(algorithm=algorithm)
    style(repository, blob, blob.digest)

    assert repository.delete(f"blobs/{blob.digest}").status_code == 202
    assert repository.head(f"blobs/{blob.digest}").status_code == 404

    assert style(repository, blob, blob.digest).status_code == 201
    assert repository.get(f"blobs/{blob.digest}").content == blob.content


def test_digest_of_other_bytes_is_refused(repository: Repository, style: Style, algorithm: str) -> None:
    """Bytes under a digest that they do not have are refused, and nothing is there afterwards."""
    blob = random_blob(algorithm=algorithm)
    wrong = digest_of(blob.content + b"oh no", algorithm)

    answer = style(repository, blob, wrong)

    assert answer.status_code == 400
    assert repository.head(f"blobs/{wrong}").status_code == 404
    assert repository.head(f"blobs/{blob.digest}").status_code == 404


@pytest.mark.parametrize("digest", ["sha256:baddigeststring", "sha999:" + "0" * 64, "nodigest"])
def test_digest_that_is_none_is_refused(repository: Repository, style: Style, digest: str) -> None:
    """A digest that is malformed or of an unknown algorithm is refused."""
    assert style(repository, random_blob(), digest).status_code == 400


def test_blob_that_was_never_pushed_is_not_found(repository: Repository, algorithm: str) -> None:
    """GET and HEAD of an unknown blob answer 404."""
    digest = random_blob(algorithm=algorithm).digest

    assert repository.get(f"blobs/{digest}").status_code == 404
    assert repository.head(f"blobs/{digest}").status_code == 404


def test_upload_is_cancelled(repository: Repository) -> None:
    """DELETE of a session answers 204, after which the session is unknown."""
    upload = repository.begin()

    assert upload.cancel().status_code == 204
    assert upload.status().status_code == 404


def test_upload_is_cancelled_after_bytes(repository: Repository, algorithm: str) -> None:
    """A session that holds bytes is cancelled as well, and its bytes never become a blob."""
    blob = random_blob(algorithm=algorithm)
    upload = repository.begin()
    upload.append(blob.content)

    assert upload.cancel().status_code == 204
    assert upload.finish(blob.digest).status_code == 404
    assert repository.head(f"blobs/{blob.digest}").status_code == 404


def test_mount_from_another_repository(repository: Repository, other: Repository, algorithm: str) -> None:
    """A blob of another repository is mounted without sending it, and stays when the other repository deletes it."""
    blob = random_blob(algorithm=algorithm)
    other.push_blob(blob)

    answer = repository.post("blobs/uploads/", params={"mount": blob.digest, "from": other.name})

    assert answer.status_code == 201
    assert answer.headers["Docker-Content-Digest"] == blob.digest
    assert repository.client.get(answer.headers["Location"]).content == blob.content
    assert other.delete(f"blobs/{blob.digest}").status_code == 202
    assert repository.get(f"blobs/{blob.digest}").content == blob.content


def test_mount_without_naming_a_source(repository: Repository, other: Repository, algorithm: str) -> None:
    """A blob that some repository holds is mounted although `from` is not given."""
    blob = random_blob(algorithm=algorithm)
    other.push_blob(blob)

    answer = repository.post("blobs/uploads/", params={"mount": blob.digest})

    assert answer.status_code == 201
    assert answer.headers["Docker-Content-Digest"] == blob.digest
    assert repository.client.get(answer.headers["Location"]).content == blob.content


@pytest.mark.parametrize("named", [True, False], ids=["from", "anonymous"])
def test_mount_of_a_missing_blob_begins_an_upload(
    repository: Repository, other: Repository, algorithm: str, named: bool
) -> None:
    """A blob that is not there is not mounted: the answer opens a session, in which it can be sent."""
    blob = random_blob(algorithm=algorithm)
    source = {"from": other.name} if named else {}

    upload = repository.begin(mount=blob.digest, **source)

    assert upload.finish(blob.digest, blob.content).status_code == 201
    assert repository.get(f"blobs/{blob.digest}").content == blob.content
