"""Clients that leave: the download is not theirs, and goes on; nothing of theirs stays behind."""

import asyncio
import os
from pathlib import Path

import pytest

from entrepot.content import GrowingFile
from entrepot.testing.faults import Gate, held
from entrepot.testing.upstreams import TestUpstream
from tests.mirror.conftest import NAME, Start, Worker, leftovers

MIB = 1 << 20


async def test_a_client_that_leaves_does_not_stop_the_download(upstream: TestUpstream, worker: Worker) -> None:
    """Not even when it was the first, and the only one."""
    content = os.urandom(5 * MIB)
    digest = upstream.add_blob(NAME, content)
    gate = Gate()
    upstream.misbehave(held(2 * MIB, gate), path="/blobs/")

    body = (await worker.open(digest)).body
    assert isinstance(body, GrowingFile)
    await anext(body.pieces)
    await body.pieces.aclose()
    gate.open()
    await worker.settled()

    assert await worker.blob(digest) == content
    assert upstream.count("GET") == 1


async def test_a_client_that_leaves_before_the_size_is_known_does_not_stop_it_either(
    upstream: TestUpstream, worker: Worker
) -> None:
    """A request that is cancelled takes nothing along."""
    content = os.urandom(MIB)
    digest = upstream.add_blob(NAME, content)
    gate = Gate()
    upstream.misbehave(held(-1, gate), path="/blobs/")

    leaving = asyncio.create_task(worker.open(digest))
    await gate.reached()
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    gate.open()
    await worker.settled()

    assert await worker.blob(digest) == content
    assert upstream.count("GET") == 1


@pytest.mark.parametrize("size", [1000, 300_000])
async def test_a_client_may_leave_at_any_moment(upstream: TestUpstream, start: Start, root: Path, size: int) -> None:
    """After each step of the event loop in turn: one download all the same, for those who stay, in whatever worker."""
    workers = [start(), start()]
    for steps in range(60):
        content = os.urandom(size)
        digest = upstream.add_blob(NAME, content)
        leaving = asyncio.create_task(workers[0].blob(digest))
        for _ in range(steps):
            await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.wait({leaving})

        assert await asyncio.gather(*(worker.blob(digest) for worker in workers)) == [content] * 2
        for worker in workers:
            await worker.settled()
        assert upstream.count("GET", digest) == 1

    assert leftovers(root) == []
    assert [path for path in _open_files() if path.startswith(str(root)) and "/blobs/" in path] == []


def _open_files() -> list[str]:
    """What this process has open."""
    paths = []
    for number in os.listdir("/proc/self/fd"):
        try:
            paths.append(os.readlink(f"/proc/self/fd/{number}"))
        except FileNotFoundError:
            continue
    return paths
