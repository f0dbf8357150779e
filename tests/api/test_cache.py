"""With `storage.cache.blobdescriptor: inmemory` answers are as true as without: what is remembered allows nothing."""

from collections.abc import Iterator

import pytest

from entrepot.testing.images import SampleBlob, image, random_blob
from tests.conftest import Serve
from tests.repositories import Repository
from tests.servers import Server


@pytest.fixture(scope="module", params=["blobdescriptor", "layerinfo"])
def server(request: pytest.FixtureRequest, serve: Serve) -> Server:
    """A server with a cache of descriptors, under the name of today and that of old configurations."""
    return serve({"storage": {"cache": {request.param: "inmemory"}}})


@pytest.fixture
def repository(server: Server) -> Iterator[Repository]:
    """A repository that nobody has used, every request to it on a new connection and so to any of the workers."""
    with server.client(headers={"Connection": "close"}) as client:
        yield Repository(client)


def warm(repository: Repository, blob: SampleBlob) -> None:
    """Read the blob often enough for every worker to remember it."""
    for _ in range(10):
        assert repository.get(f"blobs/{blob.digest}").content == blob.content
        assert repository.head(f"blobs/{blob.digest}").status_code == 200


@pytest.mark.parametrize("size", [100, 300_000])
def test_deleted_in_one_repository(repository: Repository, size: int) -> None:
    """R6: a delete here is not undone by reads of the same blob there, before or after (CVE-2026-35172)."""
    blob, other = random_blob(size), repository.sibling()
    repository.push_blob(blob)
    other.push_blob(blob)
    warm(repository, blob)
    warm(other, blob)

    assert repository.delete(f"blobs/{blob.digest}").status_code == 202
    for _ in range(10):
        assert repository.get(f"blobs/{blob.digest}").status_code == 404
        warm(other, blob)
        assert repository.head(f"blobs/{blob.digest}").status_code == 404


@pytest.mark.parametrize("size", [100, 300_000])
def test_never_in_this_repository(repository: Repository, size: int) -> None:
    """R10: what another repository made everybody remember is still unknown here (CVE-2024-39897)."""
    blob, other = random_blob(size), repository.sibling()
    other.push_blob(blob)
    warm(other, blob)

    assert repository.get(f"blobs/{blob.digest}").status_code == 404
    assert repository.head(f"blobs/{blob.digest}").status_code == 404


@pytest.mark.parametrize("size", [100, 300_000])
def test_content_deleted_behind_the_cache(server: Server, repository: Repository, size: int) -> None:
    """R9, F-105: content that somebody else collected is asked for, not remembered; a push puts it back."""
    blob = random_blob(size)
    repository.push_blob(blob)
    warm(repository, blob)
    [path] = server.root.rglob(f"blobs/*/*/{blob.digest.partition(':')[2]}/data")
    path.unlink()

    for _ in range(10):
        assert repository.get(f"blobs/{blob.digest}").status_code == 404
    repository.push_blob(blob)
    warm(repository, blob)


def test_link_deleted_behind_the_cache(server: Server, repository: Repository) -> None:
    """R6: a link that somebody else removed is asked for, not remembered."""
    blob = random_blob()
    repository.push_blob(blob)
    warm(repository, blob)
    [path] = server.root.rglob(f"{repository.name}/_layers/*/{blob.digest.partition(':')[2]}/link")
    path.unlink()

    for _ in range(10):
        assert repository.get(f"blobs/{blob.digest}").status_code == 404


def test_tag_moved_behind_the_cache(server: Server, repository: Repository) -> None:
    """A tag that another server moved in the same directory is seen at once."""
    first, second = image(0), image(0)
    repository.push(first, "latest")
    repository.push(second)
    for _ in range(10):
        assert repository.get("manifests/latest").content == first.content
    [path] = server.root.rglob(f"{repository.name}/_manifests/tags/latest/current/link")
    path.write_text(second.digest)

    for _ in range(10):
        assert repository.get("manifests/latest").content == second.content


def test_manifest_put_after_its_content_was_collected(server: Server, repository: Repository) -> None:
    """R9: a push of what a cache believes to be there writes it when it is not."""
    made = image(0)
    repository.push(made, "latest")
    for _ in range(10):
        assert repository.get("manifests/latest").content == made.content
    [path] = server.root.rglob(f"blobs/*/*/{made.digest.partition(':')[2]}/data")
    path.unlink()

    assert repository.put_manifest("latest", made).status_code == 201

    assert path.read_bytes() == made.content
    for _ in range(10):
        assert repository.get("manifests/latest").content == made.content
