"""Uploads that go wrong by position, length or digest: what is stored stays true, and the client can go on."""

from collections.abc import Iterator

import pytest

from entrepot.testing.images import SampleBlob, digest_of, random_blob
from tests.api.checks import check_refusal, check_resumable
from tests.repositories import Repository, Upload, with_query
from tests.servers import Server

WRONG_PLACES = {"gap": (1001, 2000), "far": (10**15, 10**15 + 10), "overlap": (999, 2000), "replay": (0, 1000)}


@pytest.mark.parametrize("place", WRONG_PLACES)
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_chunk_at_a_wrong_place(
    repository: Repository, upload: Upload, blob: SampleBlob, method: str, place: str
) -> None:
    """F-050: a gap, an overlap or a replay is refused with what is stored; nothing changes."""
    start, stop = WRONG_PLACES[place]
    content, where = b"?" * (stop - start), f"{start}-{stop - 1}"

    answer = upload.append(content, where) if method == "PATCH" else upload.finish(blob.digest, content, where)

    check_refusal(answer, 416, "RANGE_INVALID")
    assert answer.headers["Range"] == "0-999"
    check_resumable(repository, upload, blob)


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_old_location(repository: Repository, blob: SampleBlob, method: str) -> None:
    """F-050: a Location from before the last chunk claims an older offset: its bytes are out of order."""
    upload = repository.begin()
    old = upload.location
    upload.append(blob.content[:1000])

    target = old if method == "PATCH" else with_query(old, digest=blob.digest)
    answer = repository.client.request(method, target, content=blob.content[:1000])

    check_refusal(answer, 416, "RANGE_INVALID")
    check_resumable(repository, upload, blob)


MALFORMED = [
    "",
    "x",
    "0",
    "-",
    "1000-",
    "-1999",
    "1000-1999-2000",
    "1999-1000",
    "+1000-1999",
    "0x3e8-0x7cf",
    "1_000-1_999",
    "1000 - 1999",
    "1000-1999,2000-2999",
    "1e3-1999",
    "9" * 40 + "-" + "9" * 41,
    "bytes",
    "1000-" + "9" * 5000,
]


@pytest.mark.parametrize("where", MALFORMED, ids=range(len(MALFORMED)))
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_malformed_range(repository: Repository, upload: Upload, blob: SampleBlob, method: str, where: str) -> None:
    """F-051: a Content-Range that is none is refused, and the session is as it was."""
    content = blob.content[1000:2000]

    answer = upload.append(content, where) if method == "PATCH" else upload.finish(blob.digest, content, where)

    check_refusal(answer, 400, "BLOB_UPLOAD_INVALID")
    check_resumable(repository, upload, blob)


@pytest.mark.parametrize("where", ["1000-1998", "1000-2000", "1000-1000", "1000-9999999999"])
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_range_of_another_length(
    repository: Repository, upload: Upload, blob: SampleBlob, method: str, where: str
) -> None:
    """F-051: a Content-Range that is not as long as the Content-Length says is refused."""
    content = blob.content[1000:2000]

    answer = upload.append(content, where) if method == "PATCH" else upload.finish(blob.digest, content, where)

    check_refusal(answer, 400, "SIZE_INVALID")
    check_resumable(repository, upload, blob)


@pytest.mark.parametrize("length", [999, 1001, 5000])
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_streamed_body_of_another_length(
    repository: Repository, upload: Upload, blob: SampleBlob, method: str, length: int
) -> None:
    """F-053: a body without Content-Length that is shorter or longer than its range is refused; nothing stays of it."""

    def pieces() -> Iterator[bytes]:
        yield from (b"?" * 100 for _ in range(length // 100))
        yield b"?" * (length % 100)

    where = "1000-1999"
    answer = upload.append(pieces(), where) if method == "PATCH" else upload.finish(blob.digest, pieces(), where)

    check_refusal(answer, 400, "SIZE_INVALID")
    check_resumable(repository, upload, blob)


def test_missing_digest(repository: Repository, upload: Upload, blob: SampleBlob) -> None:
    """F-056: PUT without a digest is refused; the session and its bytes stay."""
    check_refusal(upload.finish(None), 400, "DIGEST_INVALID")
    check_resumable(repository, upload, blob)


BAD_DIGESTS = ["", "sha256", "sha256:", "sha256:abc", "sha257:" + "0" * 64, "md5:" + "0" * 32, "SHA256:" + "0" * 64]


@pytest.mark.parametrize("digest", BAD_DIGESTS)
def test_malformed_digest(repository: Repository, upload: Upload, blob: SampleBlob, digest: str) -> None:
    """F-056, R38: a digest that is none, or of an unknown algorithm, is refused; the session and its bytes stay."""
    check_refusal(upload.finish(digest, b"ignored"), 400, "DIGEST_INVALID")
    check_resumable(repository, upload, blob)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_wrong_digest(repository: Repository, upload: Upload, blob: SampleBlob, algorithm: str) -> None:
    """F-056: bytes that have another digest are refused, and the session is gone with them."""
    check_refusal(upload.finish(digest_of(b"other", algorithm), blob.content[1000:]), 400, "DIGEST_INVALID")

    check_refusal(upload.status(), 404, "BLOB_UPLOAD_UNKNOWN")
    assert repository.head(f"blobs/{blob.digest}").status_code == 404


def test_wrong_digest_frees_the_disk(filesystem_server: Server) -> None:
    """F-056: refused bytes do not stay on the disk."""
    with filesystem_server.client() as client:
        repository = Repository(client)
        upload = repository.begin()
        upload.finish(digest_of(b"other"), b"refused" * 1000)

    assert list(filesystem_server.root.rglob(f"*{upload.identity}*")) == []


def test_wrong_digest_of_an_existing_blob(repository: Repository, upload: Upload) -> None:
    """F-057: other bytes under the digest of a blob that exists are refused, and the blob is untouched."""
    existing = random_blob()
    repository.push_blob(existing)

    check_refusal(upload.finish(existing.digest, b"forged"), 400, "DIGEST_INVALID")

    assert repository.get(f"blobs/{existing.digest}").content == existing.content


def test_short_digest_of_long_content(repository: Repository) -> None:
    """R38: the sha512 hex cut to the length of sha256, or under the other name, is no digest of the content."""
    blob = random_blob(algorithm="sha512")
    cut = f"sha256:{blob.digest.partition(':')[2][:64]}"

    assert repository.begin().finish(cut, blob.content).status_code == 400
    assert repository.begin().finish(blob.digest.replace("sha512", "sha256"), blob.content).status_code == 400


def test_final_put_again(repository: Repository, upload: Upload, blob: SampleBlob) -> None:
    """F-065: a client that lost the 201 and sends its PUT again gets 201 while the blob is there, then 404."""
    assert upload.finish(blob.digest, blob.content[1000:]).status_code == 201

    again = upload.finish(blob.digest, blob.content[1000:])

    assert again.status_code == 201
    assert again.headers["Docker-Content-Digest"] == blob.digest
    repository.delete(f"blobs/{blob.digest}")
    check_refusal(upload.finish(blob.digest, blob.content[1000:]), 404, "BLOB_UPLOAD_UNKNOWN")
