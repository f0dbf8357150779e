"""Manifests and blobs that several clients change and read at once: what anybody sees is whole, and true."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx

from entrepot.testing.images import digest_of, image, random_blob
from tests.repositories import Repository, same_digest
from tests.servers import Server


def test_one_tag_pushed_by_many(repository: Repository, server: Server) -> None:
    """F-040: of a hundred pushes of one tag each succeeds; readers see one of them, whole, at every moment."""
    made = [image(0) for _ in range(100)]
    for one in made:
        repository.push_blobs(one)
    repository.put_manifest("latest", made[0])
    contents = {one.content for one in made}
    done = threading.Event()

    def push(number: int) -> int:
        with server.client() as client:
            return Repository(client, repository.name).put_manifest("latest", made[number]).status_code

    def read(_: int) -> set[tuple[int, bytes]]:
        seen = set()
        with server.client() as client:
            while not done.is_set():
                answer = Repository(client, repository.name).get("manifests/latest")
                assert same_digest(answer.content, answer.headers["Docker-Content-Digest"])
                seen.add((answer.status_code, answer.content))
        return seen

    with ThreadPoolExecutor(10) as pool:
        readers = [pool.submit(read, number) for number in range(2)]
        statuses = list(pool.map(push, range(100)))
        done.set()
        seen = set().union(*(reader.result() for reader in readers))

    assert set(statuses) == {201}
    assert {status for status, _ in seen} <= {200}
    assert {content for _, content in seen} <= contents
    assert repository.get("manifests/latest").content in contents


def test_push_while_a_layer_is_deleted(repository: Repository, server: Server) -> None:
    """F-041: a push that races the delete of its layer is refused, or leaves a manifest; never a server error."""

    def delete(digest: str) -> int:
        with server.client() as client:
            return Repository(client, repository.name).delete(f"blobs/{digest}").status_code

    with ThreadPoolExecutor(1) as pool:
        for _ in range(20):
            made = image(1)
            repository.push_blobs(made)
            deleted = pool.submit(delete, made.blobs[-1].digest)
            answer = repository.put_manifest(made.digest, made)
            assert deleted.result() == 202
            assert answer.status_code in (201, 400)
            assert repository.head(f"manifests/{made.digest}").status_code == (200 if answer.is_success else 404)


def test_push_and_delete_of_one_manifest(repository: Repository, server: Server) -> None:
    """F-041: after any race of pushes with a tag and deletes, the tag names a manifest that is there, or nothing."""
    made = image(0)
    repository.push_blobs(made)

    def push(_: int) -> int:
        with server.client() as client:
            return Repository(client, repository.name).put_manifest("latest", made).status_code

    def delete(_: int) -> int:
        with server.client() as client:
            return Repository(client, repository.name).delete(f"manifests/{made.digest}").status_code

    with ThreadPoolExecutor(6) as pool:
        pushes, deletes = pool.map(push, range(40)), pool.map(delete, range(40))
        assert set(pushes) == {201}
        assert set(deletes) <= {202, 404}

    by_tag, by_digest = repository.get("manifests/latest"), repository.get(f"manifests/{made.digest}")
    assert by_tag.status_code in (200, 404)
    if by_tag.status_code == 200:
        assert by_digest.content == made.content
    assert repository.put_manifest("latest", made).status_code == 201
    assert repository.get("manifests/latest").content == made.content


def test_tag_and_delete_of_one_manifest(repository: Repository, server: Server) -> None:
    """F-043, I4: whichever comes first, a tag that is listed names a manifest that is there."""
    made = image(0)
    repository.push(made)

    def at_once(work: Callable[[Repository], httpx.Response], start: threading.Barrier) -> int:
        with server.client() as client:
            start.wait()
            return work(Repository(client, repository.name)).status_code

    with ThreadPoolExecutor(2) as pool:
        for _ in range(40):
            assert repository.put_manifest("kept", made).status_code == 201
            start = threading.Barrier(2)
            pushing = pool.submit(at_once, lambda there: there.put_manifest("new", made), start)
            deleting = pool.submit(at_once, lambda there: there.delete(f"manifests/{made.digest}"), start)
            assert (pushing.result(), deleting.result()) == (201, 202)
            # Where directories are implied, a repository that the deletion has emptied is unknown.
            for tag in repository.get("tags/list").json().get("tags") or []:
                assert repository.get(f"manifests/{tag}").status_code == 200, tag


def test_delete_while_a_blob_streams(repository: Repository, server: Server) -> None:
    """F-042: a download that has begun ends well, or breaks off; it never ends with other or fewer bytes as if well."""
    blob = random_blob(20_000_000)
    repository.push_blob(blob)

    with server.client() as client, client.stream("GET", repository.url(f"blobs/{blob.digest}")) as answer:
        pieces = answer.iter_raw(65536)
        got = next(pieces)
        assert repository.delete(f"blobs/{blob.digest}").status_code == 202
        try:
            got += b"".join(pieces)
        except httpx.TransportError:
            got = blob.content

    assert digest_of(got) == blob.digest
    assert repository.get(f"blobs/{blob.digest}").status_code == 404


def test_delete_while_a_manifest_is_read(repository: Repository, server: Server) -> None:
    """F-042: readers get the whole manifest until it is deleted, and 404 from then on."""
    made = image(0)
    repository.push(made, "latest")
    deleted = threading.Event()

    def read(_: int) -> list[int]:
        statuses: list[int] = []
        with server.client() as client:
            reader = Repository(client, repository.name)
            while 404 not in statuses[-1:]:
                after = deleted.is_set()
                answer = reader.get(f"manifests/{made.digest}")
                statuses.append(answer.status_code)
                assert answer.status_code == 404 or (answer.content == made.content and not after)
        return statuses

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read, number) for number in range(4)]
        assert repository.delete(f"manifests/{made.digest}").status_code == 202
        deleted.set()
        for reader in readers:
            assert set(reader.result()) <= {200, 404}


def test_what_one_connection_changed_all_others_see(repository: Repository, server: Server) -> None:
    """An upload or a delete through one worker is at once true in all of them."""
    clients = [server.client() for _ in range(8)]
    try:
        others = [Repository(client, repository.name) for client in clients]
        for _ in range(5):
            made = image(0)
            repository.push(made, "latest")
            for other in others:
                assert other.get("manifests/latest").content == made.content
                assert other.get(f"blobs/{made.blobs[0].digest}").content == made.blobs[0].content
            repository.delete(f"manifests/{made.digest}")
            repository.delete(f"blobs/{made.blobs[0].digest}")
            for other in others:
                assert other.get("manifests/latest").status_code == 404
                assert other.head(f"manifests/{made.digest}").status_code == 404
                assert other.get(f"blobs/{made.blobs[0].digest}").status_code == 404
    finally:
        for client in clients:
            client.close()
