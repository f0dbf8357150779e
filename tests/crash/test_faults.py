"""A disk that fails or is full in the middle of a push: the client is told, the server lives, and nothing is left."""

import os

import httpx
import pytest

from entrepot.oci.digest import Digest
from entrepot.storage import layout
from tests.crash.blob_operations import Commit
from tests.crash.conftest import StartTraced
from tests.crash.layout_check import check, leftovers
from tests.crash.manifest_operations import PutManifest
from tests.crash.operations import Operation
from tests.crash.tracing import Failures, Fault, worker_of
from tests.repositories import Repository, error_codes
from tests.servers import Server

SYNC, RENAME, MAKE, WRITE = "fsync,fdatasync", "rename,renameat,renameat2", "mkdir,mkdirat", "write,pwrite64,writev"
READ = "read,pread64,preadv,preadv2"
KINDS = [(SYNC, "EIO"), (SYNC, "ENOSPC"), (RENAME, "EIO"), (MAKE, "ENOSPC")]


@pytest.mark.parametrize("build", [Commit, PutManifest])
@pytest.mark.parametrize(("calls", "error"), KINDS)
def test_any_failing_call_fails_the_request_alone(
    start_traced: StartTraced, build: type[Operation], calls: str, error: str
) -> None:
    """Whichever call of a kind fails, the answer says so, the next try works, and no temporary file is left."""
    server = start_traced()
    failed = 0
    with server.client() as client:
        while fails(server, build(Repository(client)), Fault(calls, error, failed + 1)):
            failed += 1

    assert failed > 0


@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
def test_a_failing_write_fails_the_upload_alone(start_traced: StartTraced, error: str) -> None:
    """Bytes of an upload that can not be written are not counted as received, and it goes on when they can."""
    server = start_traced()
    with server.client() as client:
        operation = Commit(Repository(client))
        upload = httpx.URL(operation.location).path.rpartition("/")[2]
        session = server.root / f"docker/registry/v2/repositories/{operation.repository.name}/_uploads/{upload}"

        assert fails(server, operation, Fault(WRITE, error, 1, session / "data"))


def fails(server: Server, operation: Operation, fault: Fault) -> bool:
    """Perform an operation with a fault, then once more without; False when it has too few calls for the fault."""
    failures = Failures(worker_of(server.pid), fault)
    try:
        answer = operation.perform()
    finally:
        failed = failures.close()
    check_answer(answer, fault, failed)
    assert check(server.root) == []
    if answer.is_success:
        operation.check_done()
    operation.try_again()
    operation.check_done()
    assert check(server.root) == []
    assert leftovers(server.root) == []
    return bool(failed)


def check_answer(answer: httpx.Response, fault: Fault, failed: list[str]) -> None:
    """Assert that what failed is told in the registry's form, unless nothing did but the removal of the upload."""
    if answer.is_success:
        assert all("/_uploads>" in call for call in failed), failed
        return
    assert failed, answer.text
    assert answer.status_code in ((507,) if fault.error == "ENOSPC" else (500, 503)), answer.text
    assert error_codes(answer)


@pytest.mark.parametrize("size", [1000, 200_000])
def test_a_read_that_fails_is_never_a_whole_answer(start_traced: StartTraced, size: int) -> None:
    """An error, or an answer that is cut; the next request reads again, and gets it."""
    server = start_traced()
    with server.client() as client:
        repository, content = Repository(client), os.urandom(size)
        digest = repository.push_blob(content)
        failures = Failures(
            worker_of(server.pid), Fault(READ, "EIO", 1, server.root / layout.blob_data(Digest.parse(digest))[1:])
        )
        try:
            answer = repository.get(f"blobs/{digest}")
            got = answer.content if answer.status_code == 200 else b""
        except httpx.RemoteProtocolError:
            got = b""
        failed = failures.close()

        assert failed
        assert got in (b"", content)
        assert repository.get(f"blobs/{digest}").content == content
