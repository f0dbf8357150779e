"""A data directory that was damaged: no link leads astray, no other repository suffers, and pushing again repairs."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from entrepot.testing.images import SampleManifest, image, random_blob
from tests.conftest import Serve
from tests.repositories import Repository, error_codes
from tests.servers import Server

SIZES = [500, 300_000]
"""Of blobs that a server may answer from memory, and of those that it sends from the file."""

Damage = Callable[[Path], object]


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def extend(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"more")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def make_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def link_outside(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


CONTENT_DAMAGES = [truncate, empty, extend, flip, Path.unlink]
"""What a crash, a bad disk or a careless hand does to content."""

GARBAGE = [b"", b"\n", b"garbage", b"\x00" * 71, b"sha256:short", b"sha256:" + b"A" * 64, b"\xff\xfe", b"x" * 100_000]
"""What may lie in a link file instead of a digest."""


@pytest.fixture(scope="module")
def server(serve: Serve) -> Server:
    """A server on a directory that these tests damage, each in its own repository."""
    return serve()


@pytest.fixture
def repository(server: Server) -> Iterator[Repository]:
    """A repository that nobody has used."""
    with server.client() as client:
        yield Repository(client)


def data_path(server: Server, digest: str) -> Path:
    """Where the content of a digest lies."""
    [found] = server.root.rglob(f"blobs/*/*/{digest.partition(':')[2]}/data")
    return found


def link_path(server: Server, repository: Repository, *parts: str) -> Path:
    """The one link file of the repository whose path holds all of these parts."""
    links = server.root.rglob(f"{repository.name}/**/link")
    [found] = [path for path in links if all(part in path.parts for part in parts)]
    return found


def hex_of(digest: str) -> str:
    """A digest as part of a path."""
    return digest.partition(":")[2]


def check_not_served(repository: Repository, path: str) -> None:
    """The content is missing or in error, and nothing else is given for it."""
    read, looked = repository.get(path), repository.head(path)

    assert read.status_code in (404, 500)
    assert looked.status_code == read.status_code
    assert error_codes(read) in (["BLOB_UNKNOWN"], ["MANIFEST_UNKNOWN"], ["UNKNOWN"])
    assert "root:" not in read.text


def check_others(repository: Repository) -> None:
    """Another repository of the same server is served as if nothing had happened."""
    made = image(1)
    other = repository.sibling()
    other.push(made, "latest")
    assert other.get("manifests/latest").content == made.content


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("damage", CONTENT_DAMAGES)
@pytest.mark.parametrize("read_before", [True, False], ids=["read", "unread"])
def test_blob_is_repaired(server: Server, repository: Repository, size: int, damage: Damage, read_before: bool) -> None:
    """F-059: pushing a blob again whose stored copy is damaged puts the right bytes there, for every repository."""
    blob = random_blob(size)
    other = repository.sibling()
    repository.push_blob(blob)
    other.push_blob(blob)
    if read_before:
        repository.get(f"blobs/{blob.digest}")
    damage(data_path(server, blob.digest))

    repository.push_blob(blob)

    for one in (repository, other) * 3:
        assert one.get(f"blobs/{blob.digest}").content == blob.content
        assert one.head(f"blobs/{blob.digest}").headers["Content-Length"] == str(size)


@pytest.mark.parametrize("damage", CONTENT_DAMAGES)
@pytest.mark.parametrize("read_before", [True, False], ids=["read", "unread"])
def test_manifest_is_repaired(server: Server, repository: Repository, damage: Damage, read_before: bool) -> None:
    """F-059, F-104: a damaged manifest is never served as if it were whole, and pushing it again repairs it."""
    made = image(0)
    repository.push(made, "latest")
    if read_before:
        repository.get("manifests/latest")
    damage(data_path(server, made.digest))

    for reference in ("latest", made.digest):
        answer = repository.get(f"manifests/{reference}")
        assert answer.status_code in (404, 500) or answer.content == made.content
    repository.push(made, "latest")

    for reference in ("latest", made.digest) * 3:
        assert repository.get(f"manifests/{reference}").content == made.content


def test_link_without_content(server: Server, repository: Repository) -> None:
    """F-105: a blob or manifest whose content is gone is unknown: 404, not an empty 200."""
    made = image(1)
    repository.push(made, "latest")
    blob = made.blobs[1]
    data_path(server, blob.digest).unlink()

    check_not_served(repository, f"blobs/{blob.digest}")
    assert repository.put_manifest("again", made).status_code == 400
    check_others(repository)


def test_tag_without_manifest(server: Server, repository: Repository) -> None:
    """F-105: a tag whose manifest is gone leads nowhere; it is listed or not, and can be set again."""
    made = image(0)
    repository.push(made, "dangling")
    link_path(server, repository, "revisions", hex_of(made.digest)).unlink()

    check_not_served(repository, "manifests/dangling")
    assert repository.get("tags/list").json()["tags"] in ([], ["dangling"])
    repository.push(made, "dangling")
    assert repository.get("manifests/dangling").content == made.content


@pytest.mark.parametrize("content", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_in_a_tag(server: Server, repository: Repository, content: bytes) -> None:
    """F-103: a tag's link that holds no digest is unknown or an error, harms nothing else, and can be set again."""
    made = image(0)
    repository.push(made, "broken", "good")
    link_path(server, repository, "tags", "broken", "current").write_bytes(content)

    check_not_served(repository, "manifests/broken")
    assert repository.get("manifests/good").content == made.content
    assert "good" in repository.tags()
    repository.push(made, "broken")
    assert repository.get("manifests/broken").content == made.content
    assert repository.tags() == ["broken", "good"]


@pytest.mark.parametrize("content", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_in_a_revision(server: Server, repository: Repository, content: bytes) -> None:
    """F-103: the same for the link that says that a manifest is here; deleting others still works."""
    made, other = image(0), image(0)
    repository.push(made, "broken")
    repository.push(other, "good")
    link_path(server, repository, "revisions", hex_of(made.digest)).write_bytes(content)

    answer = repository.get(f"manifests/{made.digest}")
    assert answer.status_code in (404, 500) or answer.content == made.content
    assert repository.delete(f"manifests/{other.digest}").status_code == 202
    repository.push(made, "broken")
    assert repository.get(f"manifests/{made.digest}").content == made.content


@pytest.mark.parametrize("content", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_in_a_layer_link(server: Server, repository: Repository, content: bytes) -> None:
    """F-103: the same for the link that says that a blob is here."""
    blob = random_blob()
    repository.push_blob(blob)
    link_path(server, repository, "_layers", hex_of(blob.digest)).write_bytes(content)

    answer = repository.get(f"blobs/{blob.digest}")
    assert answer.status_code in (404, 500) or answer.content == blob.content
    repository.push_blob(blob)
    assert repository.get(f"blobs/{blob.digest}").content == blob.content


def test_link_to_another_blob(server: Server, repository: Repository) -> None:
    """R10, R38: a layer link changed to name another blob does not give that one out under this digest."""
    secret, blob = random_blob(), random_blob()
    repository.sibling().push_blob(secret)
    repository.push_blob(blob)
    link_path(server, repository, "_layers", hex_of(blob.digest)).write_text(secret.digest)

    assert repository.get(f"blobs/{blob.digest}").content != secret.content


@pytest.mark.parametrize("damage", [make_pipe, link_outside])
@pytest.mark.parametrize("size", SIZES)
def test_content_that_is_no_file(server: Server, repository: Repository, damage: Damage, size: int) -> None:
    """R24, F-104: a pipe in the place of content hangs nobody, and a symbolic link is not followed."""
    blob = random_blob(size)
    repository.push_blob(blob)
    path = data_path(server, blob.digest)
    damage(path)

    check_not_served(repository, f"blobs/{blob.digest}")

    check_others(repository)
    path.unlink()
    repository.push_blob(blob)
    assert repository.get(f"blobs/{blob.digest}").content == blob.content


@pytest.mark.parametrize("damage", [make_pipe, link_outside])
def test_link_that_is_no_file(server: Server, repository: Repository, damage: Damage) -> None:
    """R24: the same for the links of tags."""
    made = image(0)
    repository.push(made, "broken", "good")
    damage(link_path(server, repository, "tags", "broken", "current"))

    check_not_served(repository, "manifests/broken")
    assert repository.get("manifests/good").content == made.content


def test_symbolic_link_to_good_content(server: Server, repository: Repository, tmp_path: Path) -> None:
    """R24: not even where the right bytes lie behind it is a symbolic link followed out of the root."""
    blob = random_blob()
    repository.push_blob(blob)
    path = data_path(server, blob.digest)
    outside = tmp_path / "outside"
    path.rename(outside)
    path.symlink_to(outside)

    check_not_served(repository, f"blobs/{blob.digest}")


def test_repository_directory_that_leads_outside(server: Server, repository: Repository, tmp_path: Path) -> None:
    """R24: a repository that is a symbolic link to a directory outside is not written through."""
    base = next(path for path in server.root.rglob("repositories") if path.is_dir())
    (base / "linked").symlink_to(tmp_path)

    answer = repository.sibling("linked/name").post("blobs/uploads/")

    assert answer.status_code in (404, 500)
    assert list(tmp_path.iterdir()) == []


def test_foreign_files(server: Server, repository: Repository) -> None:
    """Files that are no part of the layout, left by hand or by a crash, are not listed and do not disturb."""
    made = image(0)
    repository.push(made, "latest")
    tags = link_path(server, repository, "tags", "latest", "current").parents[2]
    for place in (tags, tags.parent, tags.parent.parent, tags.parent.parent.parent):
        (place / "lost+found").mkdir()
        (place / "README").write_text("x")
        (place / ".hidden").mkdir()
        (place / "data.12345.tmp").write_text("half")

    assert "latest" in repository.tags()
    assert repository.get("manifests/latest").content == made.content
    assert repository.client.get("/v2/_catalog").status_code == 200
    for tag in repository.tags():
        assert repository.get(f"manifests/{tag}").status_code in (200, 404)


def test_unreadable_index_of_tags(server: Server, repository: Repository) -> None:
    """A file where the tags should be is an error or no tags, and nothing worse."""
    made = SampleManifest(b'{"mediaType":"x/y"}', "x/y")
    repository.push(made)
    [revisions] = server.root.rglob(f"{repository.name}/_manifests/revisions")
    tags = revisions.parent / "tags"
    if tags.is_dir():
        tags.rmdir()
    tags.write_text("not a directory")

    assert repository.get("tags/list").status_code in (200, 404, 500)
    assert repository.get("manifests/latest").status_code in (404, 500)
    assert repository.get(f"manifests/{made.digest}").content == made.content
    check_others(repository)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("damage", [empty, make_directory], ids=["empty", "directory"])
def test_blob_without_content(server: Server, repository: Repository, size: int, damage: Damage) -> None:
    """F-104, F-105: what a crash has left empty, or is no file, is not there: for readers, mounts and manifests."""
    blob = random_blob(size)
    made = image(0)
    repository.push_blobs(made)
    repository.push_blob(blob)
    repository.get(f"blobs/{blob.digest}")
    damage(data_path(server, blob.digest))

    check_not_served(repository, f"blobs/{blob.digest}")
    mounted = repository.sibling().post("blobs/uploads/", params={"mount": blob.digest, "from": repository.name})
    assert mounted.status_code == 202


def test_a_directory_among_the_tags_that_is_no_tag(server: Server, repository: Repository) -> None:
    """It is neither listed nor in the way of a deletion."""
    made = image(0)
    repository.push(made, "latest")
    odd = link_path(server, repository, "latest", "current").parents[2] / "-odd" / "current"
    odd.mkdir(parents=True)
    (odd / "link").write_text(made.digest)

    assert repository.get("tags/list").json()["tags"] == ["latest"]
    assert repository.delete(f"manifests/{made.digest}").status_code == 202
