"""A blob that is here by way of another repository: the upstream's word is needed before this one may read it."""

import asyncio
import os
from pathlib import Path

import pytest

from entrepot.oci.digest import Digest
from entrepot.oci.errors import BlobUnknown, Denied, Unauthorized, UpstreamFailed, UpstreamUnreachable
from entrepot.oci.names import RepositoryName
from entrepot.registry import Page
from entrepot.testing.faults import Fault, Gate, held, status
from entrepot.testing.upstreams import TestUpstream
from tests.crash.layout_check import check
from tests.mirror.conftest import NAME, Start, Worker, leftovers

OTHER = RepositoryName.parse("library/other")
CONTENT = os.urandom(200_000)
DIGEST = Digest.of(CONTENT)


async def have(upstream: TestUpstream, worker: Worker) -> None:
    """The blob is cached for one repository."""
    upstream.add_blob(NAME, CONTENT)
    await worker.blob(DIGEST)
    await worker.settled()


async def test_what_the_upstream_confirms_is_linked_and_not_fetched_again(
    upstream: TestUpstream, worker: Worker
) -> None:
    """One HEAD, once; after that the upstream need not be there."""
    await have(upstream, worker)
    upstream.add_blob(OTHER, CONTENT)

    assert await worker.blob(DIGEST, OTHER) == CONTENT
    assert (upstream.count("HEAD"), upstream.count("GET")) == (1, 1)

    await upstream.stop()
    assert await worker.blob(DIGEST, OTHER) == CONTENT


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (status(404), BlobUnknown),
        (status(401), Unauthorized),
        (status(403), Denied),
        (status(500), UpstreamFailed),
    ],
)
async def test_what_the_upstream_does_not_confirm_is_not_served(
    upstream: TestUpstream, worker: Worker, fault: Fault, error: type[Exception]
) -> None:
    """A digest alone is no leave to read; the repository that has it is served as ever."""
    await have(upstream, worker)
    upstream.add_blob(OTHER, CONTENT)
    upstream.misbehave(fault, path="/blobs/")

    for _ in range(2):
        with pytest.raises(error):
            await worker.blob(DIGEST, OTHER)

    assert await worker.blob(DIGEST) == CONTENT
    upstream.behave()
    assert await worker.blob(DIGEST, OTHER) == CONTENT
    assert upstream.count("GET") == 1


async def test_an_upstream_that_is_down_confirms_nothing(upstream: TestUpstream, worker: Worker) -> None:
    """What was linked before is served."""
    await have(upstream, worker)
    await upstream.stop()

    with pytest.raises(UpstreamUnreachable):
        await worker.blob(DIGEST, OTHER)
    assert await worker.blob(DIGEST) == CONTENT


async def test_two_repositories_at_once_are_one_download(upstream: TestUpstream, worker: Worker, root: Path) -> None:
    """The second is confirmed while the first is fed; in the end both are linked."""
    for name in (NAME, OTHER):
        upstream.add_blob(name, CONTENT)
    upstream.misbehave(held(1000, gate := Gate()), path="/blobs/", method="GET")
    pulling = [asyncio.create_task(worker.blob(DIGEST))]
    await gate.reached()
    pulling.append(asyncio.create_task(worker.blob(DIGEST, OTHER)))
    while not upstream.count("HEAD", f"/{OTHER}/"):
        await asyncio.sleep(0.001)
    gate.open()

    assert await asyncio.gather(*pulling) == [CONTENT] * 2
    await worker.settled()
    await upstream.stop()
    for name in (NAME, OTHER):
        assert await worker.blob(DIGEST, name) == CONTENT
    assert (upstream.count("HEAD"), upstream.count("GET")) == (1, 1)
    assert (leftovers(root), check(root)) == ([], [])


@pytest.mark.parametrize("fault", [status(404), status(401), status(403)], ids=["404", "401", "403"])
async def test_a_refusal_in_one_repository_is_none_in_another(
    upstream: TestUpstream, start: Start, fault: Fault
) -> None:
    """Who asks for it where it is not must not spoil it for those who ask where it is, in whatever worker."""
    workers = [start(), start()]
    upstream.add_blob(OTHER, CONTENT)
    gate = Gate()
    upstream.misbehave(fault, path=f"/{NAME}/blobs/")
    upstream.misbehave(held(-1, gate), path=f"/{NAME}/blobs/", method="GET", times=1)
    spoiling = asyncio.create_task(workers[0].blob(DIGEST))
    await gate.reached()
    pulling = [asyncio.create_task(worker.blob(DIGEST, OTHER)) for worker in workers]
    while upstream.count("HEAD", f"/{OTHER}/") < 2:
        await asyncio.sleep(0.001)
    gate.open()

    assert await asyncio.gather(*pulling) == [CONTENT] * 2
    with pytest.raises((BlobUnknown, Unauthorized, Denied)):
        await spoiling
    with pytest.raises((BlobUnknown, Unauthorized, Denied)):
        await workers[1].blob(DIGEST)


async def test_the_catalog_holds_what_is_cached(upstream: TestUpstream, worker: Worker) -> None:
    """Not what the upstream has, nor what it refused."""
    await have(upstream, worker)
    upstream.add_blob(OTHER, b"never asked for")
    with pytest.raises(BlobUnknown):
        await worker.blob(DIGEST, OTHER)

    assert await worker.registry.catalog("", 10) == Page([NAME], more=False)


async def test_a_repository_that_cannot_be_linked_is_served_all_the_same(
    upstream: TestUpstream, worker: Worker, root: Path
) -> None:
    """A broken store keeps nobody from pulling: what is here is read for who may, and asked for once each time."""
    await have(upstream, worker)
    upstream.add_blob(OTHER, CONTENT)
    (root / "docker/registry/v2/repositories" / OTHER).write_bytes(b"no directory")

    for asked in (1, 2):
        assert await worker.blob(DIGEST, OTHER) == CONTENT
        assert (upstream.count("HEAD"), upstream.count("GET")) == (asked, 1)
