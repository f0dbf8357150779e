"""What `get` keeps in memory is never older than the file, whoever has changed it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from entrepot.driver import PathNotFound
from entrepot.drivers.filesystem import FilesystemDriver
from entrepot.drivers.small_files import LARGEST_FILE

OLD, NEW = b"sha256:old", b"sha256:new"


async def settle(driver: FilesystemDriver, path: str) -> bytes:
    """Get `path` until it is old enough to be kept, and show that it is: the same bytes object comes back."""
    give_up = time.monotonic() + 60
    while True:
        content = await driver.get(path)
        if content and await driver.get(path) is content:
            return content
        assert time.monotonic() < give_up, "never kept"
        time.sleep(0.02)


def elsewhere(code: str, *arguments: str) -> None:
    """Run Python code in another process, with `arguments` in sys.argv[1:]."""
    subprocess.run([sys.executable, "-c", f"import os, sys\n{code}", *arguments], check=True, timeout=60)


REWRITE = "os.pwrite(os.open(sys.argv[1], os.O_WRONLY), b'sha256:new', 0)"
TRUNCATE_AND_WRITE = "open(sys.argv[1], 'wb').write(b'sha256:new')"
RENAME_OVER = "open(sys.argv[1] + '.x', 'wb').write(b'sha256:new'); os.rename(sys.argv[1] + '.x', sys.argv[1])"
HIDDEN = f"s = os.stat(sys.argv[1]); {REWRITE}; os.utime(sys.argv[1], ns=(s.st_atime_ns, s.st_mtime_ns))"


@pytest.mark.parametrize("code", [REWRITE, TRUNCATE_AND_WRITE, RENAME_OVER, HIDDEN])
async def test_another_process_changes_a_file(driver: FilesystemDriver, root: Path, code: str) -> None:
    """A change by another process is seen by the next get: in place, at the same size, with its time reset."""
    await driver.put("/t/link", OLD)
    assert await settle(driver, "/t/link") == OLD
    elsewhere(code, str(root / "t" / "link"))

    assert await driver.get("/t/link") == NEW


async def test_another_process_deletes_and_makes_a_file(driver: FilesystemDriver, root: Path) -> None:
    """A deleted file is gone at once, its directory too, and a new one is there at once: nothing is kept of absence."""
    await driver.put("/t/a/link", OLD)
    await settle(driver, "/t/a/link")
    elsewhere("import shutil; shutil.rmtree(sys.argv[1])", str(root / "t" / "a"))
    with pytest.raises(PathNotFound):
        await driver.get("/t/a/link")
    with pytest.raises(PathNotFound):
        await driver.stat("/t/a/link")
    elsewhere("os.mkdir(sys.argv[1]); open(sys.argv[1] + '/link', 'wb').write(b'sha256:new')", str(root / "t" / "a"))

    assert await driver.get("/t/a/link") == NEW
    assert (await driver.stat("/t/a/link")).size == len(NEW)


async def test_a_change_right_after_reading_is_seen(driver: FilesystemDriver, root: Path) -> None:
    """Rewrites in place at the same size, as fast as they come, are all seen: a file this young is not kept."""
    await driver.put("/t/link", b"00000")
    descriptor = os.open(root / "t" / "link", os.O_WRONLY)
    for number in range(3000):
        content = b"%05d" % number
        os.pwrite(descriptor, content, 0)
        assert await driver.get("/t/link") == content
        assert await driver.get("/t/link") == content
    os.close(descriptor)


async def test_several_drivers_see_each_other(driver: FilesystemDriver, root: Path) -> None:
    """What one driver puts, appends, moves or deletes is what the other gets next, as between two workers."""
    other = FilesystemDriver(str(root))
    await driver.put("/t/link", OLD)
    await settle(other, "/t/link")
    await driver.put("/t/link", NEW)
    assert await settle(other, "/t/link") == NEW
    async with driver.writer("/t/link") as file:
        await file.write([b"!"])
        assert await settle(other, "/t/link") == NEW + b"!"
        await file.truncate(3)
    assert await settle(other, "/t/link") == b"sha"
    await driver.put("/t/spool", OLD)
    await driver.move("/t/spool", "/t/link")
    assert await settle(other, "/t/link") == OLD
    await driver.delete("/t/link")
    with pytest.raises(PathNotFound):
        await other.get("/t/link")
    other.close()


@pytest.mark.parametrize("size", [1, LARGEST_FILE, LARGEST_FILE + 1, 4 << 20])
async def test_any_size_is_got_whole(driver: FilesystemDriver, size: int) -> None:
    """Files on both sides of what is kept are got exactly, again and again."""
    content = os.urandom(size)
    await driver.put("/t/link", content)
    if size <= LARGEST_FILE:
        assert await settle(driver, "/t/link") == content

    assert await driver.get("/t/link") == content
    assert await driver.get("/t/link") == content
