"""Locks hold among processes, and always the file that is at the path now."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from entrepot.driver import Locked, PathNotFound
from entrepot.drivers.filesystem import FilesystemDriver

HOLD = """
import fcntl, sys
file = open(sys.argv[1], "r+b")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


async def test_another_process_excludes_until_it_dies(driver: FilesystemDriver, root: Path) -> None:
    """What another process holds is Locked, however it came to hold it; its death frees the file."""
    await driver.put("/t/data", b"")
    command = [sys.executable, "-c", HOLD, str(root / "t" / "data")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Locked):
            async with driver.lock("/t/data"):
                pass
        holder.kill()
        holder.wait()

        async with driver.lock("/t/data"):
            pass


async def test_a_lock_is_never_that_of_a_file_that_was_replaced(driver: FilesystemDriver) -> None:
    """While each holder replaces the file before it lets go, there is one holder at a time all the same."""
    await driver.put("/t/data", b"")
    inside = 0
    taken = 0

    async def take() -> None:
        nonlocal inside, taken
        while taken < 400:
            with suppress(Locked, PathNotFound):
                async with driver.lock("/t/data"):
                    inside += 1
                    assert inside == 1
                    await asyncio.sleep(0.0005)
                    assert inside == 1
                    taken += 1
                    inside -= 1
                    await driver.put("/t/data", b"")

    await asyncio.gather(*(take() for _ in range(8)))

    assert taken >= 400
