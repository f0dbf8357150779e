"""Operations on uploads and blobs."""

import os

import httpx

from entrepot.testing.images import SampleBlob, random_blob
from tests.crash.operations import Operation
from tests.crash.seen import check_blob
from tests.repositories import Repository, with_query

OCTETS = {"Content-Type": "application/octet-stream"}
HALF = 100_000


class StartUpload(Operation):
    """POST of an upload."""

    def prepare(self) -> None:
        self.blob = random_blob()

    def perform(self) -> httpx.Response:
        return self.repository.post("blobs/uploads/")

    def check_interrupted(self) -> None:
        check_blob(self.repository, self.blob, present=False)

    def try_again(self) -> None:
        self.repository.push_blob(self.blob)

    def check_done(self) -> None:
        """Nothing is seen of a session whose Location nobody got."""


class Chunk(Operation):
    """PATCH of a second chunk."""

    def prepare(self) -> None:
        self.blob = SampleBlob(os.urandom(2 * HALF))
        self.location = begin(self.repository, self.blob.content[:HALF])

    def perform(self) -> httpx.Response:
        return self.repository.client.patch(self.location, content=self.blob.content[HALF:], headers=OCTETS)

    def check_interrupted(self) -> None:
        offset = offset_of(self.repository.client.get(self.location))
        assert offset is not None
        assert HALF <= offset <= 2 * HALF

    def try_again(self) -> None:
        resume(self.repository, self.location, self.blob)

    def check_done(self) -> None:
        assert offset_of(self.repository.client.get(self.location)) in (2 * HALF, None)


class Commit(Operation):
    """PUT of the last bytes and the digest."""

    def prepare(self) -> None:
        self.blob = SampleBlob(os.urandom(2 * HALF))
        self.location = begin(self.repository, self.blob.content[:HALF])

    def perform(self) -> httpx.Response:
        target = with_query(self.location, digest=self.blob.digest)
        return self.repository.client.put(target, content=self.blob.content[HALF:], headers=OCTETS)

    def check_interrupted(self) -> None:
        check_blob(self.repository, self.blob, present=None)
        offset = offset_of(self.repository.client.get(self.location))
        # None: the session is gone. 0: its bytes have become the blob already.
        assert offset in (None, 0) or HALF <= offset <= 2 * HALF

    def try_again(self) -> None:
        resume(self.repository, self.location, self.blob)

    def check_done(self) -> None:
        check_blob(self.repository, self.blob, present=True)


class Cancel(Operation):
    """DELETE of an upload."""

    def prepare(self) -> None:
        self.location = begin(self.repository, os.urandom(HALF))

    def perform(self) -> httpx.Response:
        return self.repository.client.delete(self.location)

    def check_interrupted(self) -> None:
        assert offset_of(self.repository.client.get(self.location)) in (None, 0, HALF)

    def try_again(self) -> None:
        assert self.repository.client.delete(self.location).status_code in (204, 404)

    def check_done(self) -> None:
        assert self.repository.client.get(self.location).status_code == 404


class Mount(Operation):
    """POST that links a blob of another repository."""

    def prepare(self) -> None:
        self.blob = random_blob()
        self.source = self.repository.sibling()
        self.source.push_blob(self.blob)

    def perform(self) -> httpx.Response:
        return self.repository.post("blobs/uploads/", params={"mount": self.blob.digest, "from": self.source.name})

    def check_interrupted(self) -> None:
        check_blob(self.repository, self.blob, present=None)

    def try_again(self) -> None:
        assert self.perform().status_code == 201

    def check_done(self) -> None:
        check_blob(self.repository, self.blob, present=True)


class DeleteBlob(Operation):
    """DELETE of a blob that another repository links as well."""

    def prepare(self) -> None:
        self.blob = random_blob()
        self.other = self.repository.sibling()
        for repository in (self.repository, self.other):
            repository.push_blob(self.blob)

    def perform(self) -> httpx.Response:
        return self.repository.delete(f"blobs/{self.blob.digest}")

    def check_interrupted(self) -> None:
        check_blob(self.repository, self.blob, present=None)
        check_blob(self.other, self.blob, present=True)

    def try_again(self) -> None:
        assert self.perform().status_code in (202, 404)

    def check_done(self) -> None:
        check_blob(self.repository, self.blob, present=False)
        check_blob(self.other, self.blob, present=True)


def begin(repository: Repository, content: bytes) -> str:
    """Open an upload, send a first chunk, and return the Location."""
    opened = repository.post("blobs/uploads/")
    answer = repository.client.patch(opened.headers["Location"], content=content, headers=OCTETS)
    assert answer.status_code == 202, answer.text
    return str(answer.headers["Location"])


def offset_of(answer: httpx.Response) -> int | None:
    """How many bytes a session holds by the answer to its GET; None for a session that does not exist."""
    if answer.status_code == 404:
        return None
    assert answer.status_code == 204, answer.text
    last = int(answer.headers["Range"].removeprefix("0-"))
    return last + 1 if last else 0


def resume(repository: Repository, location: str, blob: SampleBlob) -> None:
    """Ask how much arrived and send the rest, or everything when the session is gone."""
    answer = repository.client.get(location)
    offset = offset_of(answer)
    if offset is None:
        repository.push_blob(blob)
        return
    target = with_query(answer.headers["Location"], digest=blob.digest)
    finished = repository.client.put(target, content=blob.content[offset:], headers=OCTETS)
    assert finished.status_code == 201, finished.text
    check_blob(repository, blob, present=True)
