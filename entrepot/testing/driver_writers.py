"""The part of the driver's contract about files that grow, and about holding one alone."""

from __future__ import annotations

import asyncio
import os

import pytest

from entrepot.driver import Driver, Locked, PathNotFound
from entrepot.testing.driver_contents import MIB, read_all
from entrepot.wire.ranges import Span


class WriterSuite:
    """Files grow at their end, over any number of writers; locks exclude."""

    @pytest.mark.parametrize("size", [1, 32, 10 * MIB])
    async def test_a_file_grows_over_several_writers(self, driver: Driver, size: int) -> None:
        """Who opens a file again appends to what all before have written, synced or not."""
        chunks = [os.urandom(size) for _ in range(3)]
        for number, chunk in enumerate(chunks):
            async with driver.writer("/t/upload/data") as file:
                assert number * size == file.offset
                await file.write([chunk])
                assert (number + 1) * size == file.offset
            assert (number + 1) * size == (await driver.stat("/t/upload/data")).size
        async with driver.writer("/t/upload/data") as file:
            await file.sync()

        assert b"".join(chunks) == await read_all(driver, "/t/upload/data", Span(0, 4 * size))
        await driver.delete("/t")

    async def test_what_was_written_can_be_read_before_it_is_synced(self, driver: Driver) -> None:
        """As many bytes as stat reports can be read, also while the file is open and grows."""
        async with driver.writer("/t/data") as file:
            for number in range(1, 6):
                await file.write([bytes([number]) * 1000])

                size = (await driver.stat("/t/data")).size
                assert file.offset == size == len(await read_all(driver, "/t/data", Span(0, size)))
        await driver.delete("/t")

    async def test_an_empty_file_is_a_file(self, driver: Driver) -> None:
        """Opening a writer makes the file; an empty one, put or opened, can be appended to."""
        async with driver.writer("/t/opened") as file:
            await file.write([])
            await file.write([b"", b""])
            await file.sync()
        await driver.put("/t/put", b"")
        for path in ("/t/opened", "/t/put"):
            assert await driver.get(path) == b""
            async with driver.writer(path) as file:
                assert file.offset == 0
                await file.write([b"after"])
            assert await driver.get(path) == b"after"
        await driver.delete("/t")

    async def test_any_number_of_chunks_is_written(self, driver: Driver) -> None:
        """More chunks than one system call takes, empty ones among them, arrive in order."""
        chunks = [os.urandom(size % 7) for size in range(5000)]
        async with driver.writer("/t/data") as file:
            await file.write(chunks)
            await file.sync()
            await file.sync()

        assert b"".join(chunks) == await driver.get("/t/data")
        await driver.delete("/t")

    async def test_truncate_drops_the_end(self, driver: Driver) -> None:
        """Bytes from a size on are dropped, and writing goes on there; a size beyond the end changes nothing."""
        async with driver.writer("/t/data") as file:
            await file.write([b"0123456789"])
            await file.truncate(99)
            assert file.offset == 10
            await file.truncate(4)
            assert file.offset == 4
            await file.write([b"abc"])
            assert await driver.get("/t/data") == b"0123abc"
            await file.truncate(0)

        assert (await driver.stat("/t/data")).size == 0
        await driver.delete("/t")

    async def test_an_error_inside_keeps_what_was_written(self, driver: Driver) -> None:
        """Leaving a writer by an exception closes it like any other way, and lets the exception through."""

        async def fail() -> None:
            async with driver.writer("/t/data") as file:
                await file.write([b"kept"])
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail()

        assert await driver.get("/t/data") == b"kept"
        await driver.delete("/t")

    async def test_a_cancelled_writer_leaves_a_true_offset(self, driver: Driver) -> None:
        """After a cancellation mid-write the file holds a prefix, its size is its offset, and it can grow on."""
        content = os.urandom(8 * MIB)
        writes = asyncio.Semaphore(0)

        async def write() -> None:
            async with driver.writer("/t/data") as file:
                for start in range(0, len(content), MIB):
                    writes.release()
                    await file.write([content[start : start + MIB]])

        for count in range(6):
            writes = asyncio.Semaphore(0)
            task = asyncio.create_task(write())
            for _ in range(count):
                await writes.acquire()
            task.cancel()
            await asyncio.wait([task])
            async with driver.writer("/t/data") as file:
                offset = file.offset
                assert offset == (await driver.stat("/t/data")).size
                assert content[:offset] == await read_all(driver, "/t/data", Span(0, offset))
                await file.truncate(0)
        await driver.delete("/t")

    async def test_many_write_at_once(self, driver: Driver) -> None:
        """Writers of different files, in directories that they make at the same time, do not disturb each other."""
        contents = [os.urandom(MIB // 2) for _ in range(32)]

        async def write(number: int, content: bytes) -> bytes:
            path = f"/t/{number % 3}/made/by/many/{number}"
            async with driver.writer(path) as file:
                await file.write([content[:1000], content[1000:]])
                await file.sync()
            return await read_all(driver, path, Span(0, MIB))

        assert contents == await asyncio.gather(*map(write, range(32), contents))
        await driver.delete("/t")

    async def test_a_lock_excludes(self, driver: Driver) -> None:
        """While one holds a file no other gets it; each other is told so at once, and it is free afterwards."""
        await driver.put("/t/data", b"")
        for _ in range(2):
            async with driver.lock("/t/data"):
                for _ in range(2):
                    with pytest.raises(Locked):
                        async with driver.lock("/t/data"):
                            pass
        with pytest.raises(ZeroDivisionError):
            async with driver.lock("/t/data"):
                raise ZeroDivisionError
        async with driver.lock("/t/data"):
            pass
        await driver.delete("/t")

    async def test_one_of_many_gets_the_lock(self, driver: Driver) -> None:
        """Of tasks that want one file at once one holds it, and all others are refused."""
        await driver.put("/t/data", b"")
        holders = 0
        refused = asyncio.Semaphore(0)

        async def take() -> None:
            nonlocal holders
            try:
                async with driver.lock("/t/data"):
                    holders += 1
                    for _ in range(9):
                        await refused.acquire()
            except Locked:
                refused.release()

        await asyncio.gather(*(take() for _ in range(10)))

        assert holders == 1
        await driver.delete("/t")

    async def test_a_locked_file_can_be_used(self, driver: Driver) -> None:
        """Its holder, or anybody, can write, read, list and delete a file that is held."""
        await driver.put("/t/data", b"1")
        async with driver.lock("/t/data"), driver.writer("/t/data") as file:
            await file.write([b"2"])

            assert await driver.get("/t/data") == b"12"
            assert await driver.list("/t") == ["data"]
            await driver.delete("/t")
            with pytest.raises(PathNotFound):
                async with driver.lock("/t/data"):
                    pass

    async def test_a_lock_goes_along_when_its_file_is_moved(self, driver: Driver) -> None:
        """A moved file stays held under its new path, and a new file at the old path is free."""
        await driver.put("/t/spool", b"")
        async with driver.lock("/t/spool"):
            await driver.move("/t/spool", "/t/data")
            with pytest.raises(PathNotFound):
                async with driver.lock("/t/spool"):
                    pass
            await driver.put("/t/spool", b"")
            async with driver.lock("/t/spool"):
                pass
            with pytest.raises(Locked):
                async with driver.lock("/t/data"):
                    pass
        await driver.delete("/t")
