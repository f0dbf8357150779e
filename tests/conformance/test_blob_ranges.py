"""Parts of a blob (RFC 9110 §14), as the conformance program asks for them."""

import pytest

from entrepot.testing.images import random_blob
from tests.repositories import Repository

SIZE = 2048

SATISFIABLE = {
    "bytes=500-1499": (500, 1500),
    "bytes=500-": (500, SIZE),
    "bytes=-500": (SIZE - 500, SIZE),
    "bytes=2000-5000": (2000, SIZE),
}


@pytest.mark.parametrize("asked", SATISFIABLE)
def test_part_is_served(repository: Repository, algorithm: str, asked: str) -> None:
    """A satisfiable range gives exactly these bytes, cut at the end of the blob, and says which they are."""
    start, stop = SATISFIABLE[asked]
    blob = random_blob(SIZE, algorithm=algorithm)
    repository.push_blob(blob)

    answer = repository.get(f"blobs/{blob.digest}", headers={"Range": asked})

    assert answer.status_code == 206
    assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{SIZE}"
    assert answer.headers["Content-Length"] == str(stop - start)
    assert answer.content == blob.content[start:stop]


@pytest.mark.parametrize("asked", ["bytes=500-0", "bytes=5000-10000"])
def test_part_that_is_not_there_is_refused(repository: Repository, algorithm: str, asked: str) -> None:
    """A range that selects nothing is answered 416."""
    blob = random_blob(SIZE, algorithm=algorithm)
    repository.push_blob(blob)

    assert repository.get(f"blobs/{blob.digest}", headers={"Range": asked}).status_code == 416
