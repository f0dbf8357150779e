"""Every driver keeps the contract that storage/ is built on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from entrepot.driver import Driver, LocalPaths, Resident
from entrepot.drivers.filesystem import FilesystemDriver
from entrepot.drivers.guarded import Guarded
from entrepot.drivers.memory import MemoryDriver
from entrepot.drivers.metered import Metered
from entrepot.telemetry import SilentMeter
from entrepot.testing.driver_suite import DirectorySuite, DriverSuite


class TestMemory(DirectorySuite, DriverSuite):
    """The memory driver, wrapped as the server wraps it."""

    @pytest.fixture
    def driver(self) -> Driver:
        return Guarded(MemoryDriver())


class _OnDisk(DirectorySuite, DriverSuite):
    """What is true of both ways to use the filesystem driver."""

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        return tmp_path

    @pytest.fixture
    def local(self, root: Path) -> Iterator[FilesystemDriver]:
        driver = FilesystemDriver(str(root))
        yield driver
        driver.close()

    @pytest.fixture(autouse=True)
    def _watch(self, root: Path) -> None:
        self._root = root

    def leftovers(self, driver: Driver) -> Sequence[str]:
        """Every name in the root, listed or not, and every descriptor that still points into it."""
        del driver
        names = [name for _, directories, files in os.walk(self._root) for name in (*directories, *files)]
        return [*names, *_open_below(str(self._root.resolve()))]


class TestMetered(_OnDisk):
    """The same, by way of what tells how long it takes."""

    @pytest.fixture
    def driver(self, local: FilesystemDriver) -> Driver:
        return Metered(local, "filesystem", SilentMeter())

    async def test_it_has_the_abilities_of_what_it_measures(self, driver: Driver) -> None:
        """And no other."""
        assert isinstance(driver, LocalPaths)
        assert isinstance(driver, Resident)
        assert not isinstance(Metered(Guarded(MemoryDriver()), "inmemory", SilentMeter()), LocalPaths | Resident)


class TestFilesystem(_OnDisk):
    """The filesystem driver as it is."""

    @pytest.fixture
    def driver(self, local: FilesystemDriver) -> Driver:
        return local

    async def test_a_file_lies_where_the_driver_says(self, local: FilesystemDriver) -> None:
        """The ability to send files by path names the file itself."""
        assert isinstance(local, LocalPaths)
        await local.put("/t/link", b"content")

        with open(local.local_path("/t/link"), "rb") as file:
            assert file.read() == b"content"
        await local.delete("/t")


class TestFilesystemBehindASymlink(_OnDisk):
    """The filesystem driver on a root that is a symlink, in the guard."""

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        (tmp_path / "real").mkdir()
        (tmp_path / "root").symlink_to("real")
        return tmp_path / "root"

    @pytest.fixture
    def driver(self, local: FilesystemDriver) -> Driver:
        return Guarded(local)


def _open_below(root: str) -> Iterator[str]:
    for number in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{number}")
        except FileNotFoundError:  # the listing's own
            continue
        if target.startswith(f"{root}/"):
            yield target
