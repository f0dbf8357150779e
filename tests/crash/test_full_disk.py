"""A disk that really is full, of bytes or of files: pushes are refused with 507, pulls go on, room helps at once."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.testing.images import SampleBlob, image
from tests.crash.blob_operations import Commit, StartUpload
from tests.crash.disk import MEGABYTE, SmallDisk
from tests.crash.layout_check import check, leftovers
from tests.crash.manifest_operations import PutManifest
from tests.crash.operations import Operation
from tests.crash.seen import check_blob, check_manifest
from tests.programs import need
from tests.repositories import Repository, error_codes
from tests.servers import Server


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk of 16 MiB."""
    need("mount")
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    with SmallDisk(tmp_path / "disk") as made:
        yield made


@pytest.fixture
def server(disk: SmallDisk, tmp_path: Path) -> Iterator[Server]:
    """A registry on that disk."""
    with Server(tmp_path / "server", root=disk.path / "data") as made:
        yield made


def test_a_blob_larger_than_the_disk_is_refused(server: Server) -> None:
    """The client is told 507 while it sends, and the space is free again for what fits."""
    large, fitting = SampleBlob(os.urandom(20 * MEGABYTE)), SampleBlob(os.urandom(12 * MEGABYTE))
    with server.client() as client:
        repository = Repository(client)
        upload = repository.begin()
        answer = upload.finish(large.digest, large.content)

        assert (answer.status_code, bool(error_codes(answer))) == (507, True)
        upload.cancel()
        repository.push_blob(fitting)
        check_blob(repository, fitting, present=True)
    assert check(server.root) == []
    assert leftovers(server.root) == []


def test_a_full_disk_is_read_as_before(server: Server, disk: SmallDisk) -> None:
    """Pulls and lists do not need space; a push works as soon as there is some."""
    pushed, refused = image(1), image(1)
    with server.client() as client:
        repository = Repository(client)
        repository.push(pushed, "v1")
        disk.fill()

        assert repository.post("blobs/uploads/").status_code == 507
        assert repository.put_manifest("v2", pushed).status_code == 507
        check_manifest(repository, "v1", [pushed])
        assert repository.tags() == ["v1"]

        disk.free()
        repository.push(refused, "v2")
        check_manifest(repository, "v2", [refused])
    assert check(server.root) == []
    assert leftovers(server.root) == []


@pytest.mark.parametrize("build", [StartUpload, Commit, PutManifest])
def test_any_file_that_can_not_be_made_fails_the_request_alone(
    server: Server, disk: SmallDisk, build: type[Operation]
) -> None:
    """With room for no file, for one, for two and so on: 507 until there is enough, and nothing half done."""
    room = 0
    with server.client() as client:
        while not succeeds_with(room, disk, server, build(Repository(client))):
            room += 1

    assert room > 0


def succeeds_with(room: int, disk: SmallDisk, server: Server, operation: Operation) -> bool:
    """Perform an operation with room for so many files, and when it fails once more with enough of it."""
    disk.allow_files(room)
    answer = operation.perform()
    disk.allow_files(None)
    assert check(server.root) == []
    if not answer.is_success:
        assert (answer.status_code, bool(error_codes(answer))) == (507, True)
        operation.try_again()
    operation.check_done()
    assert check(server.root) == []
    return answer.is_success
