"""One operation of a filesystem driver in a process of its own, so that its system calls can be watched and broken.

`python -m tests.unit.drivers.operation ROOT NAME` prints what came of it: `done`, or the name of the error.
"""

from __future__ import annotations

import asyncio
import resource
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress

from entrepot.driver import NoSpace
from entrepot.drivers.filesystem import FilesystemDriver

OLD, NEW = b"old content", b"new content, longer"
Operation = Callable[[FilesystemDriver], Coroutine[object, None, None]]


async def check(driver: FilesystemDriver) -> None:
    """Try the root."""
    driver.check()


async def put(driver: FilesystemDriver) -> None:
    """Make a file in directories that are missing."""
    await driver.put("/t/a/link", NEW)


async def replace(driver: FilesystemDriver) -> None:
    """Replace a file."""
    await driver.put("/t/link", NEW)


async def move(driver: FilesystemDriver) -> None:
    """Move a file into directories that are missing."""
    await driver.move("/t/link", "/t/b/data")


async def append(driver: FilesystemDriver) -> None:
    """Begin a file in a directory that is missing, and make it durable."""
    async with driver.writer("/t/a/data") as file:
        await file.write([NEW[:5], NEW[5:]])
        await file.sync()


async def sync_twice(driver: FilesystemDriver) -> None:
    """Make a file durable that could not be made so a moment ago."""
    async with driver.writer("/t/link") as file:
        await file.write([NEW])
        try:
            await file.sync()
        except OSError:
            await file.sync()


async def delete(driver: FilesystemDriver) -> None:
    """Delete a directory with a file in it."""
    await driver.delete("/t")


async def fill(driver: FilesystemDriver) -> None:
    """Fill the store to its end, and go on working when there is space again."""
    await driver.put("/t/link", OLD)
    async with driver.writer("/t/data") as file:
        with suppress(NoSpace):
            while True:
                await file.write([bytes(1000)] * 100)
        size = (await driver.stat("/t/data")).size
        assert file.offset == size > 0, "the offset is what the file holds"
        try:
            await driver.put("/t/link", bytes(8 << 20))
        except NoSpace:
            assert sorted(await driver.list("/t")) == ["data", "link"]
            assert await driver.get("/t/link") == OLD, "what was there stays"
        else:
            raise AssertionError("there was space after all")
        await file.truncate(1000)
        await file.write([bytes(9)])
        await file.sync()
        assert (await driver.stat("/t/data")).size == file.offset == 1009
    await driver.put("/t/link", NEW)


async def fill_inodes(driver: FilesystemDriver) -> None:
    """Make files until the store takes no more, and go on when one is deleted."""
    number = 0
    try:
        while True:
            await driver.put(f"/t/{number}/link", NEW)
            number += 1
    except NoSpace:
        await driver.delete("/t/0")
    await driver.put("/t/more", NEW)


async def limited(driver: FilesystemDriver) -> None:
    """`fill`, against a limit on the size of a file."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))
    await fill(driver)


OPERATIONS: dict[str, Operation] = {
    operation.__name__: operation
    for operation in (check, put, replace, move, append, sync_twice, delete, fill, fill_inodes, limited)
}


def main() -> None:
    """Run the operation that the command line names."""
    root, name = sys.argv[1:]
    driver = FilesystemDriver(root)
    try:
        asyncio.run(OPERATIONS[name](driver))
    except AssertionError:
        raise
    except Exception as error:  # whatever it is, it is the result
        print(type(error).__name__)
        print(error, file=sys.stderr)
    else:
        print("done")
    driver.close()


if __name__ == "__main__":
    main()
