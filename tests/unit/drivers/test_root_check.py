"""A root is tried at the start, and an unfit one is refused in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from entrepot.driver import PathNotFound
from entrepot.drivers.filesystem import FilesystemDriver
from entrepot.drivers.root import RootMissing
from entrepot.drivers.root_check import RootUnusable
from entrepot.wire.ranges import Span
from tests.programs import need


def test_a_missing_root_is_made(tmp_path: Path) -> None:
    """The directory and those above are made, with the modes that the umask leaves, and nothing stays in it."""
    root = tmp_path / "deep" / "root"
    before = os.umask(0o027)
    try:
        FilesystemDriver(str(root)).check()
    finally:
        os.umask(before)

    assert os.listdir(root) == []
    assert root.stat().st_mode & 0o777 == 0o750


async def test_a_root_in_use_is_left_as_it_is(driver: FilesystemDriver, root: Path) -> None:
    """Trying a root that holds something changes nothing in it."""
    await driver.put("/t/link", b"content")
    driver.check()

    assert os.listdir(root) == ["t"]
    assert await driver.get("/t/link") == b"content"


def test_a_file_is_no_root(tmp_path: Path) -> None:
    """What is no directory, or lies below a file, is refused, naming it."""
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "root"):
        with pytest.raises(RootUnusable, match=rf"storage root {path}: cannot make the directory: .*; .*in the way"):
            FilesystemDriver(str(path)).check()


@pytest.mark.parametrize(
    ("mount", "message"),
    [
        ("mount -t tmpfs -o ro none {root}", "cannot write a file durably in it: Read-only file system; mount it for"),
        (
            "mount -t tmpfs -o nr_inodes=1 none {root}",
            "cannot write a file durably in it: No space left on device; free",
        ),
    ],
)
def test_an_unfit_file_system_is_refused(root: Path, mount: str, message: str) -> None:
    """The message says what was tried, what the system answered, and what to do."""
    script = f"{mount.format(root=root)} && exec {sys.executable} -m tests.unit.drivers.operation {root} check"
    result = subprocess.run(
        [need("unshare"), "--user", "--map-root-user", "--mount", "sh", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if "unshare failed" in result.stderr or "permission denied" in result.stderr:
        pytest.skip("this system lets nobody mount in a namespace of his own")

    assert message in result.stderr
    assert "RootUnusable" in result.stdout


async def test_a_root_that_goes_away_is_not_an_empty_store(driver: FilesystemDriver, root: Path) -> None:
    """When the root vanishes everything fails as a fault of the machine, not as `not found`, and nothing remakes it."""
    root.rmdir()
    for call in (
        lambda: driver.get("/t/link"),
        lambda: driver.stat("/t"),
        lambda: driver.list("/"),
        lambda: driver.put("/t/link", b""),
        lambda: driver.delete("/t"),
        lambda: driver.make_directory("/t"),
        lambda: driver.move("/t", "/u"),
        lambda: anext(driver.read("/t", Span(0, 1))),
    ):
        with pytest.raises(RootMissing, match=str(root)):
            await call()

    assert not root.exists()
    root.mkdir()
    with pytest.raises(PathNotFound):
        await driver.get("/t/link")
