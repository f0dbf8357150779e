"""A download can be cancelled at any moment, and nobody else is given its bytes (as happened to redis-py in 2023)."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from entrepot.oci.errors import UpstreamUnreachable
from entrepot.testing.faults import Gate, held
from entrepot.testing.upstreams import TestUpstream, ThreadedUpstream
from entrepot.upstream.base import Download
from entrepot.upstream.client import OciUpstream
from entrepot.upstream.waiting import cancellable, deadline
from tests.unit.upstream.conftest import NAME, Connect, read_blob

FIRST, SECOND = b"first" * 1000, b"second" * 1000
MOMENTS = [count / 1000 for count in range(16)]


@pytest.fixture
def elsewhere() -> Iterator[TestUpstream]:
    """An upstream that answers while the test's own event loop stands still."""
    with ThreadedUpstream() as upstream:
        yield upstream


async def forgetful(answer: bytes | Exception) -> bytes:
    """Wait for ever; when cancelled, forget it, as the HTTP client does when its answer comes in the same moment."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        if isinstance(answer, Exception):
            raise answer from None
    assert isinstance(answer, bytes)
    return answer


async def next_chunk(download: Download) -> bytes:
    return bytes(await anext(download.chunks))


async def test_download(upstream: TestUpstream, connect: Connect) -> None:
    """A download that waits for bytes can be cancelled; what still comes on its connection is given to nobody."""
    gate = Gate()
    first, second = upstream.add_blob(NAME, FIRST), upstream.add_blob(NAME, SECOND)
    upstream.misbehave(held(100, gate), path=first)
    client = connect()
    waiting = asyncio.ensure_future(read_blob(client, first))
    await gate.reached()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert await read_blob(client, second) == SECOND
    assert upstream.origin.connections == 2
    gate.open()
    assert await read_blob(client, second) == SECOND


async def test_while_the_head_comes(elsewhere: TestUpstream) -> None:
    """A download that is cancelled just when its head comes ends as cancelled; the next one is given its own bytes."""
    first, second = elsewhere.add_blob(NAME, FIRST), elsewhere.add_blob(NAME, SECOND)
    client = OciUpstream(elsewhere.url)
    for moment in MOMENTS:
        gate = Gate()
        elsewhere.behave()
        elsewhere.misbehave(held(100, gate), path=first)
        waiting = asyncio.ensure_future(read_blob(client, first))
        await asyncio.sleep(0)  # it asks; from here on its task does not run until it is cancelled
        gate.wait_reached(30)
        time.sleep(moment)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

        gate.open()
        assert await read_blob(client, second) == SECOND
    await client.close()


async def test_while_bytes_come(elsewhere: TestUpstream) -> None:
    """A download that is cancelled just when bytes come ends as cancelled; the next one is given its own bytes."""
    first, second = elsewhere.add_blob(NAME, FIRST), elsewhere.add_blob(NAME, SECOND)
    client = OciUpstream(elsewhere.url)
    for moment in MOMENTS:
        gate = Gate()
        elsewhere.behave()
        elsewhere.misbehave(held(100, gate), path=first)
        async with client.blob(NAME, first) as download:
            assert await next_chunk(download) == FIRST[:100]
            waiting = asyncio.ensure_future(next_chunk(download))
            await asyncio.sleep(0)
            gate.open()
            time.sleep(moment)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting

        assert await read_blob(client, second) == SECOND
    await client.close()


@pytest.mark.parametrize("answer", [b"late", OSError("late")])
async def test_forgotten_by_the_http_client(answer: bytes | Exception) -> None:
    """A cancellation holds, whatever came in the same moment, an answer or an error."""
    waiting = asyncio.ensure_future(cancellable(forgetful(answer)))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_deadline_forgotten_by_the_http_client() -> None:
    """So does a deadline, which is a cancellation too."""
    with pytest.raises(UpstreamUnreachable):
        async with deadline(0):
            await cancellable(forgetful(b"late"))


async def test_not_cancelled() -> None:
    """Without a cancellation since, answers and errors come as they are, also where an earlier one was overcome."""
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.sleep(0)

    assert await cancellable(asyncio.sleep(0, b"answer")) == b"answer"
    with pytest.raises(UpstreamUnreachable):
        async with deadline(0):
            await cancellable(asyncio.Event().wait())
    task.uncancel()
