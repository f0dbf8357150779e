"""Very long lists and very large bodies: answered in pages, in bounded memory, while others are served (F-039, R1)."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.oci.descriptor import OCI_MANIFEST
from entrepot.testing.images import digest_of, image
from tests.conftest import Serve
from tests.repositories import Repository, next_page
from tests.servers import Server

MANY = 5_000
MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module")
def server(serve: Serve) -> Server:
    """A server for very much of everything."""
    return serve()


@pytest.fixture
def repository(server: Server) -> Iterator[Repository]:
    """A repository that nobody has used."""
    with server.client() as client:
        yield Repository(client)


def memory_of(server: Server) -> int:
    """Bytes of memory that all processes of the server hold, shared pages counted once."""
    total = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            group = int(path.read_text().rpartition(")")[2].split()[2])
            if group == server.pid:
                rollup = (path.parent / "smaps_rollup").read_text()
                total += int(re.findall(r"^Pss: +(\d+) kB", rollup, re.MULTILINE)[0]) * 1024
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total


def follow(repository: Repository, path: str) -> Iterator[list[str]]:
    """The entries of all pages."""
    target: str | None = path
    while target is not None:
        answer = repository.client.get(target)
        assert answer.status_code == 200
        yield answer.json().get("tags", answer.json().get("repositories"))
        target = next_page(answer)


def copy_tags(server: Server, repository: Repository, count: int) -> list[str]:
    """Give one manifest very many tags, by writing their links as they are laid out."""
    made = image(0)
    repository.push(made, "0")
    [link] = server.root.rglob(f"{repository.name}/_manifests/tags/0/current/link")
    for number in range(1, count):
        directory = link.parents[2] / f"{number}" / "current"
        directory.mkdir(parents=True)
        (directory / "link").write_text(made.digest)
    return sorted(str(number) for number in range(count))


def test_many_tags(server: Server, repository: Repository) -> None:
    """F-039: very many tags are listed in pages, each tag once and in order, and memory does not grow by the list."""
    tags = copy_tags(server, repository, MANY)
    before = memory_of(server)

    pages = list(follow(repository, repository.url("tags/list?n=1000")))

    assert [tag for page in pages for tag in page] == tags
    assert repository.tags(n=10, last=tags[MANY // 2]) == tags[MANY // 2 + 1 :][:10]
    assert repository.tags() == tags
    assert memory_of(server) - before < 32 * MEBIBYTE


def test_many_repositories(server: Server, repository: Repository) -> None:
    """F-039: very many repositories are listed in pages, each once, and memory does not grow by the list."""
    repository.push(image(0), "latest")
    base = next(path for path in server.root.rglob("repositories") if path.is_dir())
    names = {f"many/{number:05}/x" for number in range(MANY)}
    for name in names:
        (base / name / "_manifests" / "revisions").mkdir(parents=True)
        (base / name / "_layers").mkdir()
    before = memory_of(server)

    listed = [name for page in follow(repository, "/v2/_catalog?n=1000") for name in page]

    assert len(listed) == len(set(listed))
    assert names <= set(listed)
    assert memory_of(server) - before < 32 * MEBIBYTE


@pytest.mark.parametrize("streamed", [True, False], ids=["chunked", "length"])
def test_huge_manifest(server: Server, repository: Repository, streamed: bool) -> None:
    """R1: a manifest of 300 MB is refused without being held in memory."""
    for _ in range(8):  # whichever worker it is that takes the next one
        with server.client() as client:
            Repository(client).put_bytes("warm", b" " * 5 * MEBIBYTE, OCI_MANIFEST)
    before = memory_of(server)
    pieces = (b" " * MEBIBYTE for _ in range(300))

    headers = {} if streamed else {"Content-Length": str(300 * MEBIBYTE)}
    answer = repository.put_bytes("latest", pieces, OCI_MANIFEST, headers=headers)

    assert answer.status_code == 413
    assert memory_of(server) - before < 8 * MEBIBYTE


def test_large_blob(server: Server, repository: Repository) -> None:
    """A blob of 200 MB goes in and out in bounded memory."""
    piece = bytes(range(256)) * 4096
    digest = digest_of(piece * 200)
    before = memory_of(server)
    upload = repository.begin()
    assert upload.append(piece for _ in range(200)).status_code == 202
    held = memory_of(server) - before
    assert upload.finish(digest).status_code == 201

    received = hashlib.sha256()
    with repository.client.stream("GET", repository.url(f"blobs/{digest}")) as answer:
        for piece in answer.iter_raw():
            received.update(piece)

    assert f"sha256:{received.hexdigest()}" == digest
    assert held < 32 * MEBIBYTE
    assert memory_of(server) - before < 32 * MEBIBYTE
