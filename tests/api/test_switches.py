"""Registries that refuse writes: delete switched off, read-only, mirror; by every way there is (R7, R21, F-049)."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from entrepot.testing.images import SampleManifest, image, random_blob
from tests.api.checks import check_unsupported, snapshot
from tests.api.raw import RawConnection
from tests.conftest import Serve
from tests.repositories import Repository, Upload
from tests.servers import Server

DELETE_OFF = {"storage": {"delete": {"enabled": False}}}
DELETE_DEFAULT = {"storage": {"delete": None}}
READ_ONLY = {"storage": {"maintenance": {"readonly": {"enabled": True}}}}

Write = Callable[[Repository, SampleManifest, Upload], httpx.Response]

READS = ("GET", "HEAD")

DELETES: dict[str, tuple[Write, tuple[str, ...]]] = {
    "delete blob": (lambda here, made, _: here.delete(f"blobs/{made.blobs[0].digest}"), READS),
    "delete unknown blob": (lambda here, made, _: here.delete(f"blobs/sha256:{'0' * 64}"), READS),
    "delete manifest": (lambda here, made, _: here.delete(f"manifests/{made.digest}"), (*READS, "PUT")),
    "delete tag": (lambda here, made, _: here.delete("manifests/latest"), (*READS, "PUT")),
    "delete unknown tag": (lambda here, made, _: here.delete("manifests/unknown"), (*READS, "PUT")),
}


def put_new(here: Repository, reference: str, tags: tuple[str, ...] = ()) -> httpx.Response:
    """Push a manifest that needs nothing."""
    made = SampleManifest(b'{"mediaType":"x/y"}', "x/y")
    return here.put_manifest(reference or made.digest, made, tags=tags)


PUSHES: dict[str, Write] = {
    "begin": lambda here, made, upload: here.post("blobs/uploads/"),
    "post only": lambda here, made, upload: here.post(
        "blobs/uploads/", params={"digest": made.blobs[0].digest}, content=made.blobs[0].content
    ),
    "mount": lambda here, made, upload: here.post(
        "blobs/uploads/", params={"mount": made.blobs[0].digest, "from": here.name}
    ),
    "append": lambda here, made, upload: upload.append(b"more"),
    "finish": lambda here, made, upload: upload.finish(made.blobs[0].digest, made.blobs[0].content),
    "cancel": lambda here, made, upload: upload.cancel(),
    "put by tag": lambda here, made, upload: put_new(here, "new"),
    "put over a tag": lambda here, made, upload: put_new(here, "latest"),
    "put by digest": lambda here, made, upload: put_new(here, ""),
    "put with tags": lambda here, made, upload: put_new(here, "", ("new", "latest")),
    "put what is there": lambda here, made, upload: here.put_manifest("latest", made),
}


class Stored:
    """A repository with an image under a tag and an open upload, stored by a server that takes everything."""

    def __init__(self, writer: Server) -> None:
        self.root = writer.root
        self.made = image(1)
        with writer.client() as client:
            repository = Repository(client)
            repository.push(self.made, "latest")
            self.upload = repository.begin()
            self.upload.append(b"begun")
            self.name = repository.name


@pytest.fixture(scope="module")
def stored(serve: Serve) -> Stored:
    """One repository for the whole module: nothing here may change it."""
    return Stored(serve())


def served(serve: Serve, stored: Stored, settings: dict[str, Any]) -> Iterator[Repository]:
    """The stored repository as another server with these settings serves it."""
    with serve(settings, root=stored.root).client() as client:
        yield Repository(client, stored.name)


@pytest.fixture(scope="module", params=[DELETE_OFF, DELETE_DEFAULT], ids=["off", "default"])
def without_delete(request: pytest.FixtureRequest, serve: Serve, stored: Stored) -> Iterator[Repository]:
    """`storage.delete` switched off, or not given at all."""
    yield from served(serve, stored, request.param)


@pytest.fixture(scope="module")
def read_only(serve: Serve, stored: Stored) -> Iterator[Repository]:
    """`storage.maintenance.readonly` switched on, although deleting is allowed."""
    yield from served(serve, stored, READ_ONLY)


class Mirrored:
    """A mirror of another registry that holds one image, all of which it has pulled and stored."""

    def __init__(self, client: httpx.Client, upstream: Server, mirror: Server) -> None:
        self.roots = (upstream.root, mirror.root)
        self.made = image(1)
        with upstream.client() as writer:
            there = Repository(writer)
            there.push(self.made, "latest")
        self.here = Repository(client, there.name)
        assert self.here.get("manifests/latest").content == self.made.content
        for blob in self.made.blobs:
            assert self.here.get(f"blobs/{blob.digest}").content == blob.content
        self._await_links([self.made.digest, *(blob.digest for blob in self.made.blobs)])

    def _await_links(self, digests: list[str]) -> None:
        # A fill goes on after its client has got the last byte.
        deadline = time.monotonic() + 30
        while not all(list(self.roots[1].rglob(f"{digest.partition(':')[2]}/link")) for digest in digests):
            assert time.monotonic() < deadline, "the mirror did not store what it pulled"
            time.sleep(0.01)

    def snapshots(self) -> list[dict[str, str]]:
        return [snapshot(root) for root in self.roots]


@pytest.fixture(scope="module")
def mirrored(serve: Serve) -> Iterator[Mirrored]:
    """A mirror and its upstream, which nobody else writes to."""
    upstream = serve()
    mirror = serve({"proxy": {"remoteurl": upstream.url}})
    with mirror.client() as client:
        yield Mirrored(client, upstream, mirror)


def try_out(stored: Stored, here: Repository, write: Write) -> httpx.Response:
    """Try a write; the storage stays as it was, to the byte, and what is stored is still served."""
    before = snapshot(stored.root)
    upload = stored.upload.moved_to(here.client)

    answer = write(here, stored.made, upload)

    assert snapshot(stored.root) == before
    assert here.get("manifests/latest").content == stored.made.content
    assert here.get(f"blobs/{stored.made.blobs[0].digest}").content == stored.made.blobs[0].content
    return answer


@pytest.mark.parametrize("write", DELETES)
def test_delete_is_off(stored: Stored, without_delete: Repository, write: str) -> None:
    """R7: no blob, manifest or tag can be deleted, whether it is there or not."""
    attempt, allowed = DELETES[write]

    check_unsupported(try_out(stored, without_delete, attempt), *allowed)


def test_uploads_are_cancelled_all_the_same(without_delete: Repository) -> None:
    """An upload is not content: it can be cancelled, and pushes work."""
    upload = without_delete.sibling().begin()

    assert upload.cancel().status_code == 204
    without_delete.sibling().push(image(1), "latest")


@pytest.mark.parametrize("write", [*DELETES, *PUSHES])
def test_read_only(stored: Stored, read_only: Repository, write: str) -> None:
    """R7: nothing can be pushed, appended, cancelled or deleted."""
    attempt = PUSHES[write] if write in PUSHES else DELETES[write][0]

    answer = try_out(stored, read_only, attempt)

    assert answer.status_code == 405
    assert answer.json()["errors"][0]["code"] == "UNSUPPORTED"
    assert set(answer.headers["Allow"].split(", ")) <= {"GET", "HEAD", ""}


def test_read_only_upload_status(stored: Stored, read_only: Repository) -> None:
    """The status of an upload is only read, and may be told; it is never a server error."""
    assert stored.upload.moved_to(read_only.client).status().status_code in (204, 404, 405)


@pytest.mark.parametrize("write", [*DELETES, *PUSHES])
def test_mirror(mirrored: Mirrored, stored: Stored, write: str) -> None:
    """F-049: a mirror takes no writes at all, neither into its cache nor through to its upstream."""
    attempt = PUSHES[write] if write in PUSHES else DELETES[write][0]
    before = mirrored.snapshots()

    answer = attempt(mirrored.here, mirrored.made, stored.upload.moved_to(mirrored.here.client))

    assert answer.status_code == 405
    assert answer.json()["errors"][0]["code"] == "UNSUPPORTED"
    assert mirrored.snapshots() == before
    assert mirrored.here.get("manifests/latest").content == mirrored.made.content


@pytest.mark.parametrize("method", ["PUT", "PATCH", "POST"])
def test_refused_without_the_body(read_only: Repository, method: str) -> None:
    """R41: what is not allowed is refused before any of a terabyte of body was sent."""
    paths = {"PUT": "manifests/latest", "PATCH": f"blobs/uploads/{random_blob().digest}", "POST": "blobs/uploads/"}
    with RawConnection(read_only.client.base_url.port or 80) as connection:
        connection.send_head(method, read_only.url(paths[method]), Content_Length=str(10**12), Expect="100-continue")
        status, _, _ = connection.answer(method)

    assert status == 405
