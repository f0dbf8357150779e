"""`kill -9` after every single change that a request makes to the directory: nothing is lost, and nothing half done."""

import os
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from entrepot.testing.images import SampleBlob, image
from tests.crash.blob_operations import HALF, Cancel, Chunk, Commit, DeleteBlob, Mount, StartUpload
from tests.crash.conftest import StartTraced
from tests.crash.killing import is_killed_after
from tests.crash.manifest_operations import DeleteManifest, DeleteTag, MoveTag, PutManifest
from tests.crash.operations import Operation
from tests.crash.seen import check_blob, check_manifest
from tests.repositories import Repository
from tests.servers import Server

BLOBS: list[type[Operation]] = [StartUpload, Chunk, Commit, Cancel, Mount, DeleteBlob]
MANIFESTS: list[type[Operation]] = [PutManifest, MoveTag, DeleteTag, DeleteManifest]


class FillBlob(Operation):
    """GET of a blob that a mirror does not have yet."""

    def __init__(self, repository: Repository, upstream: Repository) -> None:
        self.upstream = upstream
        super().__init__(repository)

    def prepare(self) -> None:
        self.blob = SampleBlob(os.urandom(3 * HALF))
        self.upstream.push_blob(self.blob)

    def perform(self) -> httpx.Response:
        return self.repository.get(f"blobs/{self.blob.digest}")

    def check_interrupted(self) -> None:
        check_blob(self.repository, self.blob, present=True)

    def try_again(self) -> None:
        check_blob(self.repository, self.blob, present=True)

    def check_done(self) -> None:
        check_blob(self.repository, self.blob, present=True)


class FillManifest(FillBlob):
    """GET of a tag whose manifest a mirror does not have yet."""

    def prepare(self) -> None:
        self.manifest = image(0)
        self.upstream.push(self.manifest, "latest")
        [self.blob] = self.manifest.blobs

    def perform(self) -> httpx.Response:
        return self.repository.get("manifests/latest")

    def check_interrupted(self) -> None:
        check_manifest(self.repository, "latest", [self.manifest])

    def check_done(self) -> None:
        check_manifest(self.repository, self.manifest.digest, [self.manifest])


@pytest.mark.parametrize("build", [*BLOBS, *MANIFESTS])
def test_a_request_survives_a_kill_after_any_change(start_traced: StartTraced, build: type[Operation]) -> None:
    """After each kill the files are sound, the state is a legal one, and a second try ends as the first should have."""
    server = start_traced()
    with server.client() as client:
        assert count_kills(server, lambda: build(Repository(client))) > 0


@pytest.mark.parametrize("build", [FillBlob, FillManifest])
def test_a_fill_survives_a_kill_after_any_change(
    start_traced: StartTraced, build: type[FillBlob], tmp_path: Path
) -> None:
    """A mirror that died in the middle has the content whole or not at all, and gets what is missing when asked."""
    with Server(tmp_path / "upstream") as upstream, upstream.client() as pusher:
        mirror = start_traced({"proxy": {"remoteurl": upstream.url}})
        with mirror.client() as client:

            def made() -> Operation:
                repository = Repository(client)
                return build(repository, Repository(pusher, repository.name))

            assert count_kills(mirror, made) > 0


def count_kills(server: Server, build: Callable[[], Operation]) -> int:
    """Kill one operation after its first change, another after its second, until one ends before; count the kills."""
    kills = 0
    while is_killed_after(kills + 1, server, build()):
        kills += 1
    return kills
