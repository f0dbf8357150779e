"""Pouring: chunks go to a writer and through a hasher in order, two batches at a time, and nothing runs on after it."""

import asyncio
import hashlib
import os
import threading
from collections.abc import AsyncIterator, Iterable, Sequence

import pytest

from entrepot.oci.digest import new_hasher
from entrepot.pouring import BATCH, pour

QUARTER = BATCH // 4


class Sink:
    """Takes what is written, one batch at a time, each only once a `turn` is there for it."""

    def __init__(self, turns: int | None = None) -> None:
        self.batches: list[list[bytes]] = []
        self.running = 0
        self.fails_at: int | None = None
        self._turns = None if turns is None else asyncio.Semaphore(turns)
        self.begun = asyncio.Event()

    async def write(self, chunks: Iterable[bytes]) -> None:
        assert self.running == 0
        self.running += 1
        self.begun.set()
        try:
            if self._turns is not None:
                await self._turns.acquire()
            batch = await asyncio.to_thread(list, chunks)
            if self.fails_at == len(self.batches):
                raise OSError("the disk is broken")
            self.batches.append(batch)
        finally:
            self.running -= 1

    def let(self, turns: int) -> None:
        """Let so many batches pass."""
        assert self._turns is not None
        for _ in range(turns):
            self._turns.release()

    @property
    def content(self) -> bytes:
        return b"".join(chunk for batch in self.batches for chunk in batch)


class Source:
    """Gives `chunks`, counts how many it gave, and then fails if it is told to."""

    def __init__(self, chunks: Sequence[bytes], failure: Exception | None = None) -> None:
        self._chunks = chunks
        self._failure = failure
        self.given = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            self.given += len(chunk)
            yield chunk
        if self._failure is not None:
            raise self._failure


class SlowHasher:
    """A hasher that stays in `update` until it is let go, and notes who is in it."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.inside = threading.Event()
        self.finished = 0

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        self.inside.set()
        self.go.wait(20)
        self.finished += len(data)

    def hexdigest(self) -> str:
        return ""


@pytest.mark.parametrize(
    "sizes",
    [[], [0], [1], [BATCH], [BATCH + 1], [QUARTER] * 9, [3 * BATCH, 1], [1, 0, 1] * 200],
    ids=str,
)
async def test_everything_is_written_and_hashed_in_order(sizes: list[int]) -> None:
    """Whatever the chunks' sizes are, the file is their sum and the hash is its hash."""
    chunks = [os.urandom(size) for size in sizes]
    sink, hasher = Sink(), new_hasher("sha256")

    await pour(aiter(Source(chunks)), sink.write, hasher)

    assert sink.content == b"".join(chunks)
    assert hasher.hexdigest() == hashlib.sha256(sink.content).hexdigest()


async def test_without_a_hasher_it_only_writes() -> None:
    """A hash that nobody runs costs nothing and is not missed."""
    sink = Sink()

    await pour(aiter(Source([b"a" * BATCH, b"b"])), sink.write, None)

    assert sink.content == b"a" * BATCH + b"b"


async def test_small_chunks_are_handed_on_together() -> None:
    """A batch is what fits, not what came at once."""
    sink = Sink()

    await pour(aiter(Source([b"x" * QUARTER] * 10)), sink.write, None)

    assert [len(batch) for batch in sink.batches] == [4, 4, 2]


async def test_what_comes_slowly_is_not_gathered_for_long() -> None:
    """Whoever follows the file gets it as it arrives, not a batch at a time."""
    sink = Sink()

    async def slow() -> AsyncIterator[bytes]:
        for number in range(5):
            yield bytes([number])
            await asyncio.sleep(0.03)

    await pour(slow(), sink.write, None, patience=0.02)

    # The first chunk begins the clock, and the machine may be slower than the source.
    assert len(sink.batches) >= 2
    assert sink.content == bytes(range(5))


async def test_a_small_first_batch_is_followed_by_larger_ones() -> None:
    sink = Sink()
    await pour(aiter(Source([b"x" * QUARTER] * 10)), sink.write, None, first=QUARTER // 2)
    assert [len(batch) for batch in sink.batches] == [1, 1, 2, 4, 2]


async def test_a_slow_writer_holds_up_the_source() -> None:
    """While one batch is written one more is gathered, and no third one is taken from the source."""
    source, sink = Source([b"x" * QUARTER] * 40), Sink(turns=0)
    pouring = asyncio.create_task(pour(aiter(source), sink.write, None))

    for written in range(3):
        while source.given < (written + 2) * BATCH:
            await asyncio.sleep(0.001)
        await _settled()
        assert source.given == (written + 2) * BATCH
        sink.let(1)
    sink.let(100)
    await pouring

    assert len(sink.content) == 10 * BATCH


async def test_what_arrived_before_the_source_failed_is_kept() -> None:
    """File and hasher hold the same bytes, all that came, and the error goes on."""
    chunks = [os.urandom(QUARTER) for _ in range(7)]
    sink, hasher = Sink(), new_hasher("sha256")

    with pytest.raises(ConnectionError, match="gone"):
        await pour(aiter(Source(chunks, ConnectionError("gone"))), sink.write, hasher)

    assert sink.content == b"".join(chunks)
    assert hasher.hexdigest() == hashlib.sha256(sink.content).hexdigest()


@pytest.mark.parametrize("fails_at", [0, 1, 2])
async def test_a_failing_writer_ends_it(fails_at: int) -> None:
    """The writer's error comes out, whichever batch it was; nothing is written after it."""
    sink = Sink()
    sink.fails_at = fails_at

    with pytest.raises(OSError, match="broken"):
        await pour(aiter(Source([b"x" * BATCH] * 2 + [b"y"])), sink.write, new_hasher("sha256"))

    assert (len(sink.batches), sink.running) == (fails_at, 0)


async def test_both_ends_may_fail_at_once() -> None:
    """A writer that fails after the source did is not forgotten, nor does it hide why there is no more to come."""
    sink = Sink(turns=0)
    sink.fails_at = 0
    pouring = asyncio.create_task(pour(aiter(Source([b"x" * BATCH], ConnectionError("gone"))), sink.write, None))
    await sink.begun.wait()
    sink.let(1)

    with pytest.raises(ConnectionError, match="gone"):
        await pouring

    assert sink.running == 0


@pytest.mark.parametrize("with_hasher", [False, True])
async def test_a_cancellation_waits_for_the_write_under_way(with_hasher: bool) -> None:
    """Whoever cancels gets the file back only when nobody writes to it any more, however often he asks."""
    sink, hasher = Sink(turns=0), new_hasher("sha256") if with_hasher else None
    pouring = asyncio.create_task(pour(aiter(Source([b"x" * BATCH] * 3)), sink.write, hasher))
    await sink.begun.wait()
    for _ in range(3):
        pouring.cancel()
        await _settled()

    assert (pouring.done(), sink.running) == (False, 1)
    sink.let(1)
    with pytest.raises(asyncio.CancelledError):
        await pouring
    assert (sink.running, len(sink.content)) == (0, BATCH)


async def test_a_cancellation_waits_for_the_hash_under_way() -> None:
    """The hasher is nobody else's while a thread is still in it."""
    hasher = SlowHasher()
    pouring = asyncio.create_task(pour(aiter(Source([b"x" * BATCH])), Sink().write, hasher))
    await asyncio.to_thread(hasher.inside.wait, 20)
    pouring.cancel()
    await _settled()

    assert not pouring.done()
    hasher.go.set()
    with pytest.raises(asyncio.CancelledError):
        await pouring
    assert hasher.finished == BATCH


async def test_a_failed_write_waits_for_the_hash_under_way() -> None:
    """The writer's error comes out when the other half of the work is over, too."""
    hasher, sink = SlowHasher(), Sink()
    sink.fails_at = 0
    pouring = asyncio.create_task(pour(aiter(Source([b"x" * BATCH])), sink.write, hasher))
    await asyncio.to_thread(hasher.inside.wait, 20)
    await _settled()

    assert not pouring.done()
    hasher.go.set()
    with pytest.raises(OSError, match="broken"):
        await pouring
    assert hasher.finished == BATCH


async def test_a_cancellation_while_waiting_for_chunks_keeps_what_was_written() -> None:
    """A source that has gone quiet does not hold up whoever cancels."""
    sink = Sink()

    async def quiet() -> AsyncIterator[bytes]:
        yield b"x" * BATCH
        await asyncio.Event().wait()

    pouring = asyncio.create_task(pour(quiet(), sink.write, new_hasher("sha256")))
    await sink.begun.wait()
    pouring.cancel()

    with pytest.raises(asyncio.CancelledError):
        await pouring
    assert sink.running == 0


async def _settled() -> None:
    """Let everything run that can run without something from outside."""
    for _ in range(50):
        await asyncio.sleep(0)
