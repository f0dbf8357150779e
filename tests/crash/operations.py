"""What a client does to a registry when the server dies: the request, what may be seen after it, and the second try.

Each instance is one attempt in a repository of its own. It speaks HTTP only; the harness looks at the files.
"""

import os
from abc import ABC, abstractmethod

import httpx

from entrepot.testing.images import SampleBlob, SampleManifest, artifact, image, random_blob
from tests.repositories import Repository, with_query

OCTETS = {"Content-Type": "application/octet-stream"}
HALF = 100_000


class Operation(ABC):
    """One request that changes a repository."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.prepare()

    @abstractmethod
    def prepare(self) -> None:
        """Bring the repository to where the request makes sense."""

    @abstractmethod
    def perform(self) -> httpx.Response:
        """Send the request once."""

    @abstractmethod
    def check_interrupted(self) -> None:
        """Assert that what is seen is a legal state between before and after."""

    @abstractmethod
    def try_again(self) -> None:
        """Do what a client does that got no answer, and assert that it is answered well."""

    @abstractmethod
    def check_done(self) -> None:
        """Assert that the change is there, whole."""


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


class PutManifest(Operation):
    """PUT of a manifest with a subject and several new tags."""

    tags = ("v1", "latest")

    def prepare(self) -> None:
        self.subject = image(1)
        self.manifest = artifact("application/vnd.example.sbom", subject=self.subject)
        self.repository.push(self.subject)
        self.repository.push_blobs(self.manifest)

    def perform(self) -> httpx.Response:
        return self.repository.put_manifest(self.tags[0], self.manifest, tags=self.tags[1:])

    def check_interrupted(self) -> None:
        present = check_manifest(self.repository, self.manifest.digest, [self.manifest], may_be_absent=True)
        for tag in self.tags:
            tagged = check_manifest(self.repository, tag, [self.manifest], may_be_absent=True)
            assert present or not tagged
        check_list(self.repository, self.tags)

    def try_again(self) -> None:
        assert self.perform().status_code == 201

    def check_done(self) -> None:
        for reference in (self.manifest.digest, *self.tags):
            check_manifest(self.repository, reference, [self.manifest])
        assert [one["digest"] for one in self.repository.referrers(self.subject.digest)] == [self.manifest.digest]


class MoveTag(Operation):
    """PUT of a manifest under a tag that names another one."""

    def prepare(self) -> None:
        self.old, self.new = image(1), image(1)
        self.repository.push(self.old, "latest")
        self.repository.push_blobs(self.new)

    def perform(self) -> httpx.Response:
        return self.repository.put_manifest("latest", self.new)

    def check_interrupted(self) -> None:
        check_manifest(self.repository, "latest", [self.old, self.new])
        check_manifest(self.repository, self.old.digest, [self.old])

    def try_again(self) -> None:
        assert self.perform().status_code == 201

    def check_done(self) -> None:
        check_manifest(self.repository, "latest", [self.new])
        check_manifest(self.repository, self.old.digest, [self.old])


class DeleteTag(Operation):
    """DELETE of one of two tags."""

    def prepare(self) -> None:
        self.manifest = image(1)
        self.repository.push(self.manifest, "gone", "kept")

    def perform(self) -> httpx.Response:
        return self.repository.delete("manifests/gone")

    def check_interrupted(self) -> None:
        check_manifest(self.repository, "gone", [self.manifest], may_be_absent=True)
        check_list(self.repository, ("gone",))
        self._check_kept()

    def try_again(self) -> None:
        assert self.perform().status_code in (202, 404)

    def check_done(self) -> None:
        assert self.repository.get("manifests/gone").status_code == 404
        assert self.repository.tags() == ["kept"]
        self._check_kept()

    def _check_kept(self) -> None:
        for reference in ("kept", self.manifest.digest):
            check_manifest(self.repository, reference, [self.manifest])


class DeleteManifest(Operation):
    """DELETE of a manifest that two tags name."""

    tags = ("v1", "latest")

    def prepare(self) -> None:
        self.manifest, self.other = image(1), image(1)
        self.repository.push(self.manifest, *self.tags)
        self.repository.push(self.other, "other")

    def perform(self) -> httpx.Response:
        return self.repository.delete(f"manifests/{self.manifest.digest}")

    def check_interrupted(self) -> None:
        present = check_manifest(self.repository, self.manifest.digest, [self.manifest], may_be_absent=True)
        for tag in self.tags:
            tagged = check_manifest(self.repository, tag, [self.manifest], may_be_absent=True)
            assert present or not tagged
        check_list(self.repository, self.tags)
        check_manifest(self.repository, "other", [self.other])

    def try_again(self) -> None:
        assert self.perform().status_code in (202, 404)

    def check_done(self) -> None:
        for reference in (self.manifest.digest, *self.tags):
            assert self.repository.get(f"manifests/{reference}").status_code == 404
        assert self.repository.tags() == ["other"]
        check_manifest(self.repository, "other", [self.other])


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


OPERATIONS: list[type[Operation]] = [
    StartUpload,
    Chunk,
    Commit,
    Cancel,
    Mount,
    PutManifest,
    MoveTag,
    DeleteTag,
    DeleteManifest,
    DeleteBlob,
]


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


def check_blob(repository: Repository, blob: SampleBlob, *, present: bool | None) -> None:
    """Assert that a blob is served byte for byte, or is unknown; with None, either of them."""
    answer = repository.get(f"blobs/{blob.digest}")
    if present is None:
        present = answer.status_code != 404
    assert (answer.status_code, answer.content) == (200, blob.content) if present else answer.status_code == 404


def check_manifest(
    repository: Repository, reference: str, expected: list[SampleManifest], *, may_be_absent: bool = False
) -> bool:
    """Assert that one of these manifests is served with its blobs; return False for one that may be absent and is."""
    answer = repository.get(f"manifests/{reference}")
    if may_be_absent and answer.status_code == 404:
        return False
    assert answer.status_code == 200, answer.text
    found = {manifest.content: manifest for manifest in expected}[answer.content]
    for blob in found.all_blobs():
        check_blob(repository, blob, present=True)
    return True


def check_list(repository: Repository, tags: tuple[str, ...]) -> None:
    """Assert that those of these tags that are listed are served."""
    answer = repository.get("tags/list")
    listed = answer.json()["tags"] if answer.status_code == 200 else []
    for tag in set(listed) & set(tags):
        assert repository.get(f"manifests/{tag}").status_code == 200
