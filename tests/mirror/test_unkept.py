"""A disk that is full: blobs go past the cache, right to the last byte; when there is room again they are kept."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.mirror.fill import HELD_BACK
from entrepot.testing.faults import Gate, cut, flipped, held
from entrepot.testing.registry_contents import read_body
from entrepot.testing.upstreams import TestUpstream
from entrepot.wire.ranges import Span
from tests.crash.disk import MEGABYTE, SmallDisk
from tests.mirror.conftest import NAME, Start, Worker, leftovers
from tests.programs import need

SIZE = 6 * MEGABYTE


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk that is too small for the blob."""
    need("mount")
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    with SmallDisk(tmp_path / "disk", 3 * MEGABYTE) as made:
        yield made


@pytest.fixture
def root(disk: SmallDisk) -> Path:
    """The data directory is on it."""
    return disk.path


async def test_a_blob_that_does_not_fit_is_served(upstream: TestUpstream, start: Start, root: Path) -> None:
    """To every client, in every worker; what did fit comes from the disk, the rest from the upstream."""
    content = os.urandom(SIZE)
    digest = upstream.add_blob(NAME, content)
    workers = [start(), start()]

    got = await asyncio.gather(*(worker.blob(digest) for worker in workers for _ in range(2)))

    assert got == [content] * 4
    for worker in workers:
        await worker.settled()
    assert leftovers(root) == []
    assert upstream.count("GET") <= 5


@pytest.mark.parametrize(
    ("start_at", "stop"), [(0, 10), (MEGABYTE, SIZE), (SIZE - 10, SIZE), (5 * MEGABYTE, 5 * MEGABYTE + 1)]
)
async def test_a_range_of_it_is_served(upstream: TestUpstream, worker: Worker, start_at: int, stop: int) -> None:
    """Whether it lies before or behind the place where the disk was full."""
    content = os.urandom(SIZE)
    digest = upstream.add_blob(NAME, content)

    assert await worker.blob(digest, select=lambda size: Span(start_at, stop)) == content[start_at:stop]


async def test_a_disk_without_any_room_is_a_mirror_all_the_same(
    upstream: TestUpstream, worker: Worker, disk: SmallDisk
) -> None:
    """Not even the directory can be made; when there is room again, blobs are kept."""
    content = os.urandom(MEGABYTE)
    digest = upstream.add_blob(NAME, content)
    disk.fill()
    disk.allow_files(0)

    assert await worker.blob(digest) == content
    assert await worker.blob(digest, select=lambda size: Span(5, 10)) == content[5:10]

    disk.allow_files(None)
    disk.free()
    assert await worker.blob(digest) == content
    await worker.settled()
    asked = upstream.count()
    assert await worker.blob(digest) == content
    assert upstream.count() == asked


async def test_what_is_wrong_is_never_whole(upstream: TestUpstream, worker: Worker, root: Path) -> None:
    """The end is held back here, too."""
    digest = upstream.add_blob(NAME, os.urandom(SIZE))
    upstream.misbehave(flipped(5 * MEGABYTE), path="/blobs/", method="GET", times=1)
    upstream.misbehave(flipped(MEGABYTE), path="/blobs/", method="GET")

    assert len(await worker.blob(digest)) <= SIZE - HELD_BACK
    assert leftovers(root) == []


async def test_a_transfer_that_breaks_off_is_gone_on_with(upstream: TestUpstream, worker: Worker) -> None:
    """As with a fill."""
    content = os.urandom(SIZE)
    digest = upstream.add_blob(NAME, content)
    upstream.misbehave(cut(2 * MEGABYTE), path="/blobs/", method="GET", times=3)

    assert await worker.blob(digest) == content


async def test_a_blob_that_takes_too_long_goes_past_the_cache(upstream: TestUpstream, worker: Worker) -> None:
    """`proxy.cachewritetimeout`: its client gets all of it, and nothing is kept."""
    content = os.urandom(MEGABYTE)
    digest = upstream.add_blob(NAME, content)
    worker.registry.fills._longest = 0.2
    upstream.misbehave(held(MEGABYTE // 2, gate := Gate()), path="/blobs/", method="GET", times=1)

    blob = await worker.open(digest)
    reading = asyncio.ensure_future(read_body(blob.body))
    await worker.settled()
    gate.open()

    assert await reading == content
    assert not await worker.local.blobs.has(digest)
