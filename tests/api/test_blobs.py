"""Reading and deleting blobs: headers, conditions, and that only what a repository holds can be had from it."""

import pytest

from entrepot.testing.images import SampleBlob, image, random_blob
from tests.api.checks import check_refusal
from tests.repositories import Repository

UNKNOWN = f"sha256:{'0' * 64}"

BAD_DIGESTS = {
    "empty hex": "sha256:",
    "short": "sha256:" + "0" * 63,
    "long": "sha256:" + "0" * 65,
    "upper": "sha256:" + "A" * 64,
    "no hex": "sha256:" + "g" * 64,
    "upper algorithm": "SHA256:" + "0" * 64,
    "sha257": "sha257:" + "0" * 64,
    "sha384": "sha384:" + "0" * 96,
    "sha1": "sha1:" + "0" * 40,
    "md5": "md5:" + "0" * 32,
    "blake3": "blake3:" + "0" * 64,
    "sha512 with length of sha256": "sha512:" + "0" * 64,
    "sha256 with length of sha512": "sha256:" + "0" * 128,
    "other digits": "sha256:" + "%D9%A0" * 64,
    "space": "sha256:" + "0" * 63 + "%20",
    "newline": "sha256:" + "0" * 64 + "%0A",
    "two colons": "sha256::" + "0" * 64,
    "long nonsense": "sha256:" + "0" * 6000,
}


@pytest.fixture(params=["sha256", "sha512"])
def blob(request: pytest.FixtureRequest) -> SampleBlob:
    """Random bytes under either digest."""
    return random_blob(algorithm=request.param)


def test_headers(repository: Repository, blob: SampleBlob) -> None:
    """A blob comes with type, length, digest, entity tag and a year of freshness; ranges are on offer."""
    repository.push_blob(blob)

    answer = repository.get(f"blobs/{blob.digest}")

    assert answer.status_code == 200
    assert answer.content == blob.content
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Length"] == "2048"
    assert answer.headers["Docker-Content-Digest"] == blob.digest
    assert answer.headers["ETag"] == f'"{blob.digest}"'
    assert answer.headers["Cache-Control"] == "max-age=31536000"
    assert answer.headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize("headers", [{}, {"If-None-Match": '"other"'}, {"If-None-Match": "*"}, {"Accept": "text/html"}])
@pytest.mark.parametrize("size", [0, 1, 70_000, 2_000_000])
def test_head_agrees_with_get(repository: Repository, size: int, headers: dict[str, str]) -> None:
    """F-044: HEAD has the status and the headers of GET, for blobs small and large."""
    blob = random_blob(size)
    repository.push_blob(blob)
    path = f"blobs/{blob.digest}"

    looked, read = repository.head(path, headers=headers), repository.get(path, headers=headers)

    assert looked.status_code == read.status_code
    assert looked.content == b""
    varying = {"date", "connection"}
    assert {name: value for name, value in looked.headers.items() if name not in varying} == {
        name: value for name, value in read.headers.items() if name not in varying
    }


def test_unknown_blob(repository: Repository) -> None:
    """GET, HEAD and DELETE of a blob that is not here say so; the code's detail names it."""
    answer = repository.get(f"blobs/{UNKNOWN}")

    check_refusal(answer, 404, "BLOB_UNKNOWN")
    assert answer.json()["errors"][0]["detail"] == UNKNOWN
    check_refusal(repository.head(f"blobs/{UNKNOWN}"), 404)
    check_refusal(repository.delete(f"blobs/{UNKNOWN}"), 404, "BLOB_UNKNOWN")


@pytest.mark.parametrize("digest", BAD_DIGESTS.values(), ids=BAD_DIGESTS)
def test_bad_digest(repository: Repository, digest: str) -> None:
    """F-029, R38: what is no digest of a known algorithm is refused wherever a digest belongs."""
    repository.push(image(1), "latest")

    check_refusal(repository.get(f"blobs/{digest}"), 400, "DIGEST_INVALID")
    check_refusal(repository.head(f"blobs/{digest}"), 400)
    check_refusal(repository.delete(f"blobs/{digest}"), 400, "DIGEST_INVALID")
    check_refusal(repository.get(f"manifests/{digest}"), 400, "DIGEST_INVALID")
    check_refusal(repository.put_manifest(digest, image(0)), 400, "DIGEST_INVALID")
    check_refusal(repository.delete(f"manifests/{digest}"), 400, "DIGEST_INVALID")
    check_refusal(repository.get(f"referrers/{digest}"), 400, "DIGEST_INVALID")


def test_digest_longer_than_a_url_may_be(repository: Repository) -> None:
    """F-029, F-012: 10 KB of digest are refused as a digest or as a URL."""
    assert repository.get(f"blobs/sha256:{'0' * 10_000}").status_code in (400, 414)


@pytest.mark.parametrize("word", ["nodigest", "latest", "sha256", "0" * 64])
def test_blob_by_something_else(repository: Repository, word: str) -> None:
    """A blob has no tag: a word without a colon is a bad digest, or no route as in Distribution."""
    assert repository.get(f"blobs/{word}").status_code in (400, 404)
    assert repository.delete(f"blobs/{word}").status_code in (400, 404)


MATCHING = ['"{}"', "{}", 'W/"{}"', "*", '"other", "{}"', '"other",W/"{}" , "more"', '"other" ,  "{}"']
OTHER = ['"other"', '"sha256:0", W/"x"', '""', "", '"{}x"', "{}x"]


@pytest.mark.parametrize("template", MATCHING)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_condition_that_holds(repository: Repository, blob: SampleBlob, template: str, method: str) -> None:
    """F-045: quoted, bare, weak, in a list, or any: 304 with the entity tag and no body."""
    repository.push_blob(blob)

    headers = {"If-None-Match": template.format(blob.digest)}
    answer = repository.client.request(method, repository.url(f"blobs/{blob.digest}"), headers=headers)

    assert answer.status_code == 304
    assert answer.headers["ETag"] == f'"{blob.digest}"'
    assert answer.content == b""


@pytest.mark.parametrize("template", OTHER)
def test_condition_that_fails(repository: Repository, blob: SampleBlob, template: str) -> None:
    """F-045: other tags, none, or broken ones: 200 with the blob."""
    repository.push_blob(blob)

    answer = repository.get(f"blobs/{blob.digest}", headers={"If-None-Match": template.format(blob.digest)})

    assert answer.status_code == 200
    assert answer.content == blob.content


@pytest.mark.parametrize("condition", ["*", f'"{UNKNOWN}"'])
def test_condition_on_what_is_not_there(repository: Repository, condition: str) -> None:
    """A condition never makes an unknown blob or manifest known."""
    headers = {"If-None-Match": condition}

    assert repository.get(f"blobs/{UNKNOWN}", headers=headers).status_code == 404
    assert repository.head(f"blobs/{UNKNOWN}", headers=headers).status_code == 404
    assert repository.get(f"manifests/{UNKNOWN}", headers=headers).status_code == 404
    assert repository.get("manifests/latest", headers=headers).status_code == 404


def test_delete(repository: Repository, blob: SampleBlob) -> None:
    """A deleted blob is gone at once, cannot be deleted again, and can be pushed again."""
    repository.push_blob(blob)

    answer = repository.delete(f"blobs/{blob.digest}")

    assert answer.status_code == 202
    assert answer.headers["Content-Length"] == "0"
    check_refusal(repository.get(f"blobs/{blob.digest}"), 404, "BLOB_UNKNOWN")
    check_refusal(repository.head(f"blobs/{blob.digest}"), 404)
    check_refusal(repository.delete(f"blobs/{blob.digest}"), 404, "BLOB_UNKNOWN")
    repository.push_blob(blob)
    assert repository.get(f"blobs/{blob.digest}").content == blob.content


def test_blob_of_another_repository(repository: Repository, blob: SampleBlob) -> None:
    """R10: what only another repository holds is answered as what does not exist at all, to the byte."""
    repository.sibling().push_blob(blob)
    absent = random_blob(algorithm=blob.algorithm).digest

    elsewhere, nowhere = repository.get(f"blobs/{blob.digest}"), repository.get(f"blobs/{absent}")

    check_refusal(elsewhere, 404, "BLOB_UNKNOWN")
    assert elsewhere.text.replace(blob.digest, absent) == nowhere.text
    check_refusal(repository.head(f"blobs/{blob.digest}"), 404)
    check_refusal(repository.delete(f"blobs/{blob.digest}"), 404, "BLOB_UNKNOWN")


def test_deleted_blob_stays_deleted(repository: Repository, blob: SampleBlob) -> None:
    """R6: reads of the same blob in another repository, before, between and after, never bring it back."""
    other = repository.sibling()
    repository.push_blob(blob)
    other.push_blob(blob)
    path = f"blobs/{blob.digest}"

    assert repository.get(path).status_code == 200
    assert other.get(path).status_code == 200
    assert repository.delete(path).status_code == 202
    for _ in range(10):
        assert other.get(path).content == blob.content
        assert other.head(path).status_code == 200
        assert repository.head(path).status_code == 404
        assert repository.get(path).status_code == 404


def test_other_digest_of_the_same_bytes(repository: Repository) -> None:
    """R38: a blob is had by the digest it was pushed under; the other algorithm's is its own blob, if any."""
    long = random_blob(algorithm="sha512")
    short = SampleBlob(long.content)
    repository.push_blob(long)

    answer = repository.get(f"blobs/{short.digest}")
    assert answer.status_code == 404 or answer.content == long.content

    repository.push_blob(short)
    assert repository.get(f"blobs/{short.digest}").content == long.content
    assert repository.get(f"blobs/{long.digest}").content == long.content
    assert repository.head(f"blobs/{short.digest}").headers["Docker-Content-Digest"] == short.digest
    assert repository.head(f"blobs/{long.digest}").headers["Docker-Content-Digest"] == long.digest


def test_manifest_is_no_blob(repository: Repository) -> None:
    """A manifest is not to be had as a blob, nor a blob as a manifest."""
    made = image(1)
    repository.push(made)

    check_refusal(repository.get(f"blobs/{made.digest}"), 404, "BLOB_UNKNOWN")
    check_refusal(repository.get(f"manifests/{made.blobs[0].digest}"), 404, "MANIFEST_UNKNOWN")
