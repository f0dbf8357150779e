"""Upload sessions as Distribution's clients use them: headers, positions, status, closing and cancelling."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from entrepot.testing.images import SampleBlob, digest_of, random_blob
from tests.api.checks import check_refusal
from tests.repositories import Repository, Upload, without_query

EMPTY = digest_of(b"")


def test_begin(repository: Repository) -> None:
    """POST answers 202 with an empty range, the session's id, and a Location that holds its state."""
    answer = repository.post("blobs/uploads/")

    assert answer.status_code == 202
    assert answer.headers["Range"] == "0-0"
    assert answer.headers["Content-Length"] == "0"
    identity = answer.headers["Docker-Upload-UUID"]
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", identity)
    location = urlsplit(answer.headers["Location"])
    assert location.path == f"/v2/{repository.name}/blobs/uploads/{identity}"
    assert set(parse_qs(location.query)) == {"_state"}


def test_begin_without_the_slash(repository: Repository) -> None:
    """Some clients leave out the last slash: they are served, or led to the right path."""
    answer = repository.post("blobs/uploads")

    assert answer.status_code in (202, 301, 307, 308)


def test_ids_are_never_alike(repository: Repository) -> None:
    """R20: every session has an id of its own that cannot be guessed."""
    assert len({repository.begin().identity for _ in range(50)}) == 50


def test_append_and_finish(repository: Repository, blob: SampleBlob) -> None:
    """PATCH answers 202 with what is stored and a new Location; PUT creates the blob."""
    upload = repository.begin()
    first = upload.append(blob.content[:1000])
    second = upload.append_at(1000, blob.content[1000:2000])
    done = upload.finish(blob.digest, blob.content[2000:])

    for answer, last in ((first, 999), (second, 1999)):
        assert answer.status_code == 202
        assert answer.headers["Range"] == f"0-{last}"
        assert answer.headers["Docker-Upload-UUID"] == upload.identity
        assert answer.headers["Content-Length"] == "0"
        assert urlsplit(answer.headers["Location"]).path.endswith(f"/blobs/uploads/{upload.identity}")
    assert done.status_code == 201
    assert done.headers["Docker-Content-Digest"] == blob.digest
    assert done.headers["Content-Length"] == "0"
    assert urlsplit(done.headers["Location"]).path == f"/v2/{repository.name}/blobs/{blob.digest}"
    assert repository.get(f"blobs/{blob.digest}").content == blob.content


def test_session_ends_with_the_blob(repository: Repository, blob: SampleBlob) -> None:
    """Once the blob is created the session is unknown."""
    upload = repository.begin()
    upload.finish(blob.digest, blob.content)

    check_refusal(upload.status(), 404, "BLOB_UPLOAD_UNKNOWN")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_status(repository: Repository, method: str) -> None:
    """The status tells what is stored, under a Location from which the upload goes on; the state is not needed."""
    upload = repository.begin()
    for stored in (0, 1, 500):
        if stored:
            upload.append(b"x" * (stored if stored == 1 else stored - 1))
        for location in (upload.location, without_query(upload.location, "_state")):
            answer = repository.client.request(method, location)
            assert answer.status_code == 204
            assert answer.headers["Range"] == f"0-{max(0, stored - 1)}"
            assert answer.headers["Docker-Upload-UUID"] == upload.identity
            assert answer.content == b""
    resumed = Upload(repository.client, repository.client.get(without_query(upload.location, "_state")))
    assert resumed.append(b"y").headers["Range"] == "0-500"


def test_status_then_finish(repository: Repository, blob: SampleBlob) -> None:
    """A single chunk, the status of which is its length less one, and the closing PUT."""
    upload = repository.begin()
    upload.append(blob.content)

    assert upload.status().headers["Range"] == f"0-{len(blob.content) - 1}"
    assert upload.finish(blob.digest).status_code == 201


def test_cancel(repository: Repository, blob: SampleBlob) -> None:
    """DELETE answers 204; afterwards every request to the session finds nothing."""
    upload = repository.begin()
    upload.append(blob.content)

    answer = upload.cancel()

    assert answer.status_code == 204
    assert answer.headers["Docker-Upload-UUID"] == upload.identity
    check_refusal(upload.status(), 404, "BLOB_UPLOAD_UNKNOWN")
    check_refusal(upload.append(b"more"), 404, "BLOB_UPLOAD_UNKNOWN")
    check_refusal(upload.finish(blob.digest), 404, "BLOB_UPLOAD_UNKNOWN")
    check_refusal(upload.cancel(), 404, "BLOB_UPLOAD_UNKNOWN")


TYPES = [
    "application/octet-stream",
    "application/json",
    "text/plain",
    "application/x-tar",
    "application/octet-stream;x=y",
]


@pytest.mark.parametrize("media_type", [*TYPES, None])
def test_type_of_the_body_does_not_matter(repository: Repository, media_type: str | None) -> None:
    """Bytes are bytes, whatever the client calls them, or where it calls them nothing."""
    blob = random_blob()
    upload = repository.begin()
    headers = {} if media_type is None else {"Content-Type": media_type}

    assert repository.client.patch(upload.location, content=blob.content, headers=headers).status_code == 202
    upload.status()
    assert upload.finish(blob.digest).status_code == 201
    assert repository.get(f"blobs/{blob.digest}").content == blob.content


def test_body_that_is_called_a_form(repository: Repository) -> None:
    """What curl sends by default as a form is stored as it is, or refused; it never becomes parameters."""
    upload = repository.begin()
    body = b"digest=" + EMPTY.encode()

    answer = upload.finish(None, body, Content_Type="application/x-www-form-urlencoded")

    assert answer.status_code in (400, 415)
    assert repository.head(f"blobs/{EMPTY}").status_code == 404


@pytest.mark.parametrize("stored", [0, 100])
def test_empty_chunk(repository: Repository, stored: int) -> None:
    """F-063: a chunk without bytes is taken and changes nothing."""
    content = b"x" * stored
    upload = repository.begin()
    if stored:
        upload.append(content)

    answer = upload.append(b"")

    assert answer.status_code == 202
    assert answer.headers["Range"] == f"0-{max(0, stored - 1)}"
    assert upload.finish(digest_of(content)).status_code == 201


def test_chunks_of_one_byte(repository: Repository) -> None:
    """F-063: there is no smallest chunk: a blob can be sent byte by byte."""
    blob = random_blob(40)
    upload = repository.begin()
    for position in range(40):
        assert upload.append_at(position, blob.content[position : position + 1]).status_code == 202

    assert upload.finish(blob.digest).status_code == 201
    assert repository.get(f"blobs/{blob.digest}").content == blob.content


def test_larger_than_any_buffer(repository: Repository) -> None:
    """A blob of some megabytes, half of it streamed, half of it with the closing PUT, is stored whole."""
    blob = random_blob(9_000_001)
    upload = repository.begin()
    half = 5_000_000
    pieces = (blob.content[start : start + 100_003] for start in range(0, half, 100_003))
    streamed = b"".join(blob.content[start : start + 100_003] for start in range(0, half, 100_003))

    assert upload.append(pieces).status_code == 202
    assert upload.finish(blob.digest, blob.content[len(streamed) :]).status_code == 201
    assert repository.get(f"blobs/{blob.digest}").content == blob.content


def test_range_with_a_unit(repository: Repository) -> None:
    """A Content-Range as HTTP writes it, which some clients send, is understood or refused as malformed."""
    upload = repository.begin()

    answer = upload.append(b"12345", "bytes 0-4/*")

    assert answer.status_code in (202, 400)


@pytest.mark.parametrize("declared", ["sha256", "sha512", None])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("chunks", [0, 1, 3])
def test_declared_algorithm(repository: Repository, declared: str | None, algorithm: str, chunks: int) -> None:
    """F-064: the digest of the closing PUT counts, whatever algorithm was announced when the session began."""
    blob = random_blob(3000, algorithm=algorithm)
    upload = repository.begin(**({"digest-algorithm": declared} if declared else {}))
    sent = 0
    for _ in range(chunks):
        upload.append(blob.content[sent : sent + 900])
        sent += 900

    answer = upload.finish(blob.digest, blob.content[sent:])

    assert answer.status_code == 201
    assert answer.headers["Docker-Content-Digest"] == blob.digest
    assert repository.get(f"blobs/{blob.digest}").content == blob.content


@pytest.mark.parametrize("declared", ["sha1", "md5", "SHA256", "sha384", "sha256 ", "../x", "x" * 1000])
def test_unknown_algorithm(repository: Repository, declared: str) -> None:
    """R38: an algorithm that is not known is refused before any byte is sent."""
    answer = repository.post("blobs/uploads/", params={"digest-algorithm": declared})

    check_refusal(answer, 400, "DIGEST_INVALID")


def test_post_only(repository: Repository, blob: SampleBlob) -> None:
    """One POST with digest and bytes creates the blob."""
    answer = repository.post("blobs/uploads/", params={"digest": blob.digest}, content=blob.content)

    assert answer.status_code == 201
    assert answer.headers["Docker-Content-Digest"] == blob.digest
    assert urlsplit(answer.headers["Location"]).path == f"/v2/{repository.name}/blobs/{blob.digest}"
    assert repository.get(f"blobs/{blob.digest}").content == blob.content


def test_post_only_streamed(repository: Repository, blob: SampleBlob) -> None:
    """The same without a Content-Length."""
    answer = repository.post("blobs/uploads/", params={"digest": blob.digest}, content=iter([blob.content]))

    assert answer.status_code == 201
    assert repository.get(f"blobs/{blob.digest}").content == blob.content


def test_post_only_with_other_bytes(repository: Repository, blob: SampleBlob) -> None:
    """A digest that is not that of the bytes is refused, and nothing is stored."""
    answer = repository.post("blobs/uploads/", params={"digest": EMPTY}, content=blob.content)

    check_refusal(answer, 400, "DIGEST_INVALID")
    assert repository.head(f"blobs/{EMPTY}").status_code == 404


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate"])
def test_encoded_body(repository: Repository, blob: SampleBlob, encoding: str) -> None:
    """F-023, R30: bytes in a Content-Encoding are refused on every way, and the session is as it was."""
    headers = {"Content-Encoding": encoding}
    upload = repository.begin()

    answers = [
        repository.client.patch(upload.location, content=blob.content, headers=headers),
        upload.finish(blob.digest, blob.content, Content_Encoding=encoding),
        repository.post("blobs/uploads/", params={"digest": blob.digest}, content=blob.content, headers=headers),
    ]

    for answer in answers:
        check_refusal(answer, 415, "UNSUPPORTED")
    assert upload.status().headers["Range"] == "0-0"
    assert upload.finish(blob.digest, blob.content).status_code == 201
