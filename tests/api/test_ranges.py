"""Range requests on blobs, beyond those of the conformance program (F-024, RFC 9110 §14)."""

import pytest

from entrepot.testing.images import SampleBlob, random_blob
from tests.repositories import Repository

SIZES = [1, 1000, 70_000, 1_100_000]
"""Below and above the sizes at which a server begins to send files in another way."""


@pytest.fixture(params=SIZES)
def blob(request: pytest.FixtureRequest, repository: Repository) -> SampleBlob:
    """A pushed blob of each size."""
    made = random_blob(request.param)
    repository.push_blob(made)
    return made


def spans(size: int) -> dict[str, tuple[int, int]]:
    """Range headers and what they select of `size` bytes."""
    return {
        "bytes=0-0": (0, 1),
        "bytes=0-": (0, size),
        f"bytes=0-{size - 1}": (0, size),
        f"bytes=0-{size}": (0, size),
        f"bytes={size - 1}-": (size - 1, size),
        f"bytes={size - 1}-{size - 1}": (size - 1, size),
        "bytes=-1": (size - 1, size),
        f"bytes=-{size}": (0, size),
        f"bytes=-{size * 10}": (0, size),
        "bytes=0-999999999999999999": (0, size),
        "bytes = 0-0": (0, 1),
    }


def test_satisfiable(repository: Repository, blob: SampleBlob) -> None:
    """One range gives 206 with exactly those bytes, cut at the end, and the headers of the whole blob."""
    size = len(blob.content)
    for asked, (start, stop) in spans(size).items():
        answer = repository.get(f"blobs/{blob.digest}", headers={"Range": asked})
        if asked == "bytes = 0-0" and answer.status_code == 200:
            continue  # spaces around `=` are outside the grammar, and a broken Range may be ignored
        assert answer.status_code == 206, asked
        assert answer.content == blob.content[start:stop], asked
        assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{size}"
        assert answer.headers["Content-Length"] == str(stop - start)
        assert answer.headers["Docker-Content-Digest"] == blob.digest
        assert answer.headers["ETag"] == f'"{blob.digest}"'


def test_unsatisfiable(repository: Repository, blob: SampleBlob) -> None:
    """A range that selects nothing gives 416 and the size; the client can then ask rightly."""
    size = len(blob.content)
    for asked in (f"bytes={size}-", f"bytes={size}-{size + 5}", "bytes=999999999999-", "bytes=-0"):
        answer = repository.get(f"blobs/{blob.digest}", headers={"Range": asked})
        assert answer.status_code == 416, asked
        assert answer.headers["Content-Range"] == f"bytes */{size}"


MANY = "bytes=" + ",".join(f"{number}-{number}" for number in range(1000))
IGNORED = [
    "bytes=0-0,2-3",
    "bytes=0-,0-",
    MANY,
    "bytes=",
    "bytes=-",
    "bytes",
    "bytes=a-b",
    "bytes=0x0-0x1",
    "bytes=1_0-2_0",
    "bytes=+0-+1",
    "bytes=-1-2",
    "bytes=0--1",
    "bytes=0-0-0",
    "lines=0-1",
    "octets=0-1",
    "0-1",
    "bytes:0-1",
    "bytes=99999999999999999999999999999999-",
    "bytes=0-0;q=1",
    "",
    "x" * 5000,
]


def test_ignored(repository: Repository, blob: SampleBlob) -> None:
    """Several ranges, other units and broken headers give the whole blob, or 416 where they may mean nothing of it."""
    for asked in IGNORED:
        answer = repository.get(f"blobs/{blob.digest}", headers={"Range": asked})
        assert answer.status_code in (200, 416), asked
        if answer.status_code == 200:
            assert answer.content == blob.content, asked
            assert "Content-Range" not in answer.headers, asked


def test_other_digits(repository: Repository, blob: SampleBlob) -> None:
    """Digits of other scripts are no digits."""
    arabic = "bytes=\N{ARABIC-INDIC DIGIT ZERO}-\N{ARABIC-INDIC DIGIT FIVE}".encode()

    answer = repository.client.get(repository.url(f"blobs/{blob.digest}"), headers=[(b"Range", arabic)])

    assert answer.status_code in (200, 400, 416)


def test_if_range_that_holds(repository: Repository, blob: SampleBlob) -> None:
    """With the blob's own entity tag the range applies."""
    headers = {"Range": "bytes=0-0", "If-Range": f'"{blob.digest}"'}

    answer = repository.get(f"blobs/{blob.digest}", headers=headers)

    assert answer.status_code == 206
    assert answer.content == blob.content[:1]


@pytest.mark.parametrize("stale", ['"other"', "W/{}", "Wed, 21 Oct 2015 07:28:00 GMT", "junk"])
def test_if_range_that_fails(repository: Repository, blob: SampleBlob, stale: str) -> None:
    """With another tag, a weak one or a date the whole blob comes."""
    headers = {"Range": "bytes=0-0", "If-Range": stale.format(f'"{blob.digest}"')}

    answer = repository.get(f"blobs/{blob.digest}", headers=headers)

    assert answer.status_code == 200
    assert answer.content == blob.content


def test_condition_before_range(repository: Repository, blob: SampleBlob) -> None:
    """If-None-Match is answered first: what the client has it need not get a part of."""
    headers = {"Range": "bytes=0-0", "If-None-Match": f'"{blob.digest}"'}

    assert repository.get(f"blobs/{blob.digest}", headers=headers).status_code == 304


def test_range_of_an_empty_blob(repository: Repository) -> None:
    """No byte of an empty blob can be selected: 416, or 200 with nothing."""
    digest = repository.push_blob(b"")

    answer = repository.get(f"blobs/{digest}", headers={"Range": "bytes=0-0"})

    assert answer.status_code in (200, 416)
    if answer.status_code == 416:
        assert answer.headers["Content-Range"] == "bytes */0"


def test_range_of_an_unknown_blob(repository: Repository) -> None:
    """What is not there has no parts."""
    assert repository.get(f"blobs/sha256:{'0' * 64}", headers={"Range": "bytes=0-0"}).status_code == 404


def test_head_with_range(repository: Repository, blob: SampleBlob) -> None:
    """HEAD tells about the whole blob; RFC 9110 defines Range for GET only."""
    answer = repository.head(f"blobs/{blob.digest}", headers={"Range": "bytes=0-0"})

    assert answer.status_code == 200
    assert answer.headers["Content-Length"] == str(len(blob.content))


def test_pieces_make_the_whole(repository: Repository) -> None:
    """A blob fetched in parts of odd sizes is the blob."""
    blob = random_blob(300_007)
    repository.push_blob(blob)
    got = b""
    while len(got) < len(blob.content):
        headers = {"Range": f"bytes={len(got)}-{len(got) + 65_520}"}
        got += repository.get(f"blobs/{blob.digest}", headers=headers).content

    assert got == blob.content
