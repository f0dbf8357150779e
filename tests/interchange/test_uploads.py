"""An upload that one server began is finished by the other while both run, as replicas behind one address do."""

import os

import httpx
import pytest

from entrepot.testing.images import SampleBlob, random_blob
from tests.interchange.contents import compare_blob
from tests.interchange.volume import BOTH, ServerName, Volume, other
from tests.repositories import Repository, with_query


def path_of(answer: httpx.Response) -> str:
    """The Location of an answer without the server's address: path and signed state."""
    return httpx.URL(answer.headers["Location"]).raw_path.decode()


def begin(client: httpx.Client, content: bytes) -> httpx.Response:
    """Open an upload in repository `a` and send its first chunk."""
    opened = Repository(client, "a").post("blobs/uploads/")
    answer = client.patch(path_of(opened), content=content, headers={"Content-Type": "application/octet-stream"})
    assert answer.status_code == 202, answer.text
    return answer


@pytest.mark.parametrize("first", BOTH)
def test_a_chunk_at_one_and_the_rest_at_the_other(volume: Volume, first: ServerName) -> None:
    """The signed state of one server is valid at the other, which goes on at the offset that is in it."""
    blob = SampleBlob(os.urandom(300_000))

    with volume.open(first) as here, volume.open(other(first)) as there:
        begun = begin(here, blob.content[:100_000])
        status = there.get(path_of(begun))
        chunk = there.patch(
            path_of(begun), content=blob.content[100_000:200_000], headers={"Content-Type": "application/octet-stream"}
        )
        finished = here.put(with_query(path_of(chunk), digest=blob.digest), content=blob.content[200_000:])

        assert (status.status_code, status.headers["Range"]) == (204, "0-99999")
        assert (chunk.status_code, chunk.headers["Range"]) == (202, "0-199999")
        assert finished.status_code == 201, finished.text
        for client in (here, there):
            compare_blob(Repository(client, "a"), blob)


@pytest.mark.parametrize("first", BOTH)
def test_all_chunks_at_one_and_the_commit_at_the_other(volume: Volume, first: ServerName) -> None:
    """The server that commits has seen none of the bytes and checks them nevertheless."""
    blob, wrong = random_blob(200_000), random_blob()

    with volume.open(first) as here, volume.open(other(first)) as there:
        refused = there.put(with_query(path_of(begin(here, blob.content)), digest=wrong.digest))
        finished = there.put(with_query(path_of(begin(here, blob.content)), digest=blob.digest))

        assert refused.status_code == 400, refused.text
        assert finished.status_code == 201, finished.text
        compare_blob(Repository(here, "a"), blob)


@pytest.mark.parametrize("first", BOTH)
def test_an_upload_is_cancelled_at_the_other(volume: Volume, first: ServerName) -> None:
    """A session that one server removed does not exist for the one that began it."""
    with volume.open(first) as here, volume.open(other(first)) as there:
        begun = begin(here, b"unwanted")

        assert there.delete(path_of(begun)).status_code == 204
        assert here.get(path_of(begun)).status_code == 404
