"""Uploads that two requests reach for at once, and clients that leave in the middle: nothing is ever interleaved."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest

from entrepot.testing.images import SampleBlob, digest_of, random_blob
from tests.api.raw import RawConnection
from tests.repositories import Repository, Upload, with_query
from tests.servers import Server

ATTEMPTS = 30
"""Far more than it takes a server to notice that a client left."""


@pytest.fixture
def fresh(repository: Repository) -> Upload:
    """A session without bytes."""
    return repository.begin()


@pytest.fixture
def path(fresh: Upload) -> str:
    """The request target of the session."""
    location = urlsplit(fresh.location)
    return f"{location.path}?{location.query}"


@pytest.fixture
def writing(server: Server, path: str) -> Iterator[RawConnection]:
    """A PATCH of 3000 bytes that the server is waiting for, none of which is sent yet."""
    with RawConnection(server.port) as connection:
        connection.send_head("PATCH", path, Content_Length="3000", Expect="100-continue")
        connection.await_continue()
        yield connection


def finish_by_status(upload: Upload, blob: SampleBlob) -> httpx.Response:
    """Ask what is stored and send the rest, again while the session is held by a request that is dying."""
    for _ in range(ATTEMPTS):
        last = int(upload.status().headers["Range"].removeprefix("0-"))
        stored = last + 1 if last else 0
        answer = upload.finish(blob.digest, blob.content[stored:], f"{stored}-{len(blob.content) - 1}")
        if answer.status_code not in (409, 416):
            return answer
    pytest.fail("the session stayed closed")


@pytest.mark.parametrize("leave", [RawConnection.close, RawConnection.reset], ids=["close", "reset"])
def test_client_leaves_within_its_body(
    repository: Repository,
    fresh: Upload,
    blob: SampleBlob,
    writing: RawConnection,
    leave: Callable[[RawConnection], None],
) -> None:
    """F-052, F-021: after a body that ends early the status tells the truth, and the upload goes on from there."""
    writing.send(blob.content[:1234])
    leave(writing)

    assert finish_by_status(fresh, blob).status_code == 201
    assert repository.get(f"blobs/{blob.digest}").content == blob.content


def test_client_leaves_within_the_closing_put(
    repository: Repository, server: Server, fresh: Upload, blob: SampleBlob, path: str
) -> None:
    """F-052: the same in the PUT that should close the session: no blob comes of half a body."""
    with RawConnection(server.port) as connection:
        target = with_query(path, digest=blob.digest)
        connection.send_head("PUT", target, Content_Length="3000", Expect="100-continue")
        connection.await_continue()
        connection.send(blob.content[:2000])

    assert repository.head(f"blobs/{blob.digest}").status_code == 404
    assert finish_by_status(fresh, blob).status_code == 201
    assert repository.get(f"blobs/{blob.digest}").content == blob.content


def test_second_writer_loses(repository: Repository, fresh: Upload, blob: SampleBlob, writing: RawConnection) -> None:
    """F-054: while one PATCH is under way another one is refused, and nothing of it is stored."""
    writing.send(blob.content[:1000])

    answer = fresh.append(b"?" * 500)

    assert answer.status_code in (409, 416)
    writing.send(blob.content[1000:])
    assert writing.answer("PATCH")[0] == 202
    assert fresh.status().headers["Range"] == "0-2999"
    assert fresh.finish(blob.digest).status_code == 201
    assert repository.get(f"blobs/{blob.digest}").content == blob.content


def test_put_while_a_patch_runs(
    repository: Repository, fresh: Upload, blob: SampleBlob, writing: RawConnection
) -> None:
    """F-055: the closing PUT does not overtake a PATCH that is under way."""
    writing.send(blob.content[:1000])

    answer = fresh.finish(blob.digest, blob.content)

    assert answer.status_code in (404, 409, 416)
    writing.send(blob.content[1000:])
    assert writing.answer("PATCH")[0] == 202
    fresh.status()
    assert fresh.finish(blob.digest).status_code == 201
    assert repository.get(f"blobs/{blob.digest}").content == blob.content


def test_delete_while_a_patch_runs(fresh: Upload, blob: SampleBlob, writing: RawConnection) -> None:
    """F-055: cancelling either waits its turn or ends the session under the PATCH; no server error comes of it."""
    writing.send(blob.content[:1000])

    cancelled = fresh.cancel().status_code
    writing.send(blob.content[1000:])
    appended = writing.answer("PATCH")[0]

    assert cancelled in (204, 409)
    assert appended == 202 if cancelled == 409 else appended in (202, 404)
    if cancelled == 409:
        assert fresh.cancel().status_code == 204
    assert fresh.status().status_code == 404


def test_many_writers(repository: Repository, server: Server, fresh: Upload) -> None:
    """F-054: of many PATCHes for the same place exactly one is stored, whole."""
    contents = [bytes([number]) * 200_000 for number in range(8)]

    def write(content: bytes) -> int:
        with server.client() as client:
            return client.patch(fresh.location, content=content, headers={"Content-Range": "0-199999"}).status_code

    with ThreadPoolExecutor(len(contents)) as pool:
        statuses = list(pool.map(write, contents))

    assert sorted(set(statuses)) in ([202, 409], [202, 416], [202, 409, 416])
    assert statuses.count(202) == 1
    fresh.status()
    winner = contents[statuses.index(202)]
    assert fresh.finish(digest_of(winner)).status_code == 201


def test_double_put(repository: Repository, server: Server, fresh: Upload, blob: SampleBlob) -> None:
    """F-055, F-065: two closing PUTs at once: one creates the blob, the other one finds it or is refused."""

    def finish(_: int) -> int:
        with server.client() as client:
            target = with_query(fresh.location, digest=blob.digest)
            return client.put(target, content=blob.content).status_code

    with ThreadPoolExecutor(2) as pool:
        statuses = sorted(pool.map(finish, range(2)))

    assert statuses[0] == 201
    assert statuses[1] in (201, 404, 409, 416)
    assert repository.get(f"blobs/{blob.digest}").content == blob.content


def test_same_blob_from_many_clients(server: Server) -> None:
    """F-058: fifty clients upload one blob to fifty repositories: all succeed, and there is one copy."""
    blob = random_blob(300_000)

    def push(_: int) -> bytes:
        with server.client() as client:
            repository = Repository(client)
            repository.push_blob(blob)
            return repository.get(f"blobs/{blob.digest}").content

    with ThreadPoolExecutor(10) as pool:
        assert set(pool.map(push, range(50))) == {blob.content}

    encoded = blob.digest.partition(":")[2]
    copies = [found for found in server.root.rglob(f"*{encoded}*/data") if found.is_file()]
    assert len(copies) in ((1,) if server.root.exists() else (0,))


def test_same_blob_in_one_repository(repository: Repository, server: Server) -> None:
    """F-058: ten clients upload one blob to the same repository, in several ways, and all succeed."""
    blob = random_blob(200_000)

    def push(number: int) -> int:
        with server.client() as client:
            mine = Repository(client, repository.name)
            if number % 2:
                return mine.post("blobs/uploads/", params={"digest": blob.digest}, content=blob.content).status_code
            return mine.begin().finish(blob.digest, blob.content).status_code

    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(push, range(10))) == [201] * 10
    assert repository.get(f"blobs/{blob.digest}").content == blob.content
