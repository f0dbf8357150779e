"""Things in the root that no driver put there lead nowhere, and hang nobody."""

from __future__ import annotations

import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from entrepot.driver import Driver, PathInvalid, PathNotFound
from entrepot.drivers.filesystem import FilesystemDriver
from entrepot.wire.ranges import Span

SECRET = b"not of this registry"
Call = Callable[[Driver, str], Awaitable[object]]


async def _read(driver: Driver, path: str) -> bytes:
    return b"".join([piece async for piece in driver.read(path, Span(0, 100))])


async def _write(driver: Driver, path: str) -> None:
    async with driver.writer(path) as file:
        await file.write([b"overwritten"])


async def _lock(driver: Driver, path: str) -> None:
    async with driver.lock(path):
        pass


async def _move(driver: Driver, path: str) -> None:
    await driver.move(path, "/t/moved")


READS: list[Call] = [lambda driver, path: driver.get(path), _read, _lock, lambda driver, path: driver.stat(path)]
CHANGES: list[Call] = [
    _write,
    lambda driver, path: driver.put(path, b"overwritten"),
    _move,
    lambda driver, path: driver.delete(path),
]


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory beside the root, with a file in it."""
    path = tmp_path / "outside"
    path.mkdir()
    (path / "link").write_bytes(SECRET)
    return path


@pytest.fixture(params=["absolute", "relative"])
def planted(request: pytest.FixtureRequest, root: Path, outside: Path) -> Path:
    """A symlink to `outside` as a directory in the root, and one to the file as a file."""
    target = outside if request.param == "absolute" else Path("../../outside")
    (root / "t").mkdir()
    (root / "t" / "directory").symlink_to(target)
    (root / "t" / "link").symlink_to(target / "link")
    return outside


@pytest.mark.parametrize("path", ["/t/link", "/t/directory/link"])
async def test_a_symlink_lets_nobody_read(driver: FilesystemDriver, planted: Path, path: str) -> None:
    """Nothing is read through a symlink, be it the file or a directory above; asking twice changes nothing."""
    for call in READS * 2:
        with pytest.raises(PathInvalid):
            await call(driver, path)
    with pytest.raises(PathInvalid):
        await driver.list("/t/directory")

    assert planted.is_dir()


async def test_a_symlink_lets_nobody_write(driver: FilesystemDriver, planted: Path) -> None:
    """Nothing outside is made, changed, moved or removed through a directory that is a symlink."""
    for call in CHANGES:
        for name in ("link", "new"):
            with pytest.raises(PathInvalid):
                await call(driver, f"/t/directory/{name}")
    with pytest.raises(PathInvalid):
        await driver.make_directory("/t/directory/new")
    await driver.put("/t/other", b"content")
    with pytest.raises(PathInvalid):
        await driver.move("/t/other", "/t/directory/link")
    with pytest.raises(PathInvalid):
        await _write(driver, "/t/link")
    with pytest.raises(PathInvalid):
        await driver.move("/t/link", "/t/stolen")

    assert os.listdir(planted) == ["link"]
    assert (planted / "link").read_bytes() == SECRET


async def test_a_symlink_itself_can_be_replaced_and_removed(driver: FilesystemDriver, planted: Path) -> None:
    """Putting over a symlink, or deleting it or what it lies in, changes the symlink and not what it names."""
    await driver.put("/t/link", b"content")
    assert await driver.get("/t/link") == b"content"
    await driver.delete("/t/directory")
    (Path(driver.local_path("/t")) / "again").symlink_to(planted)
    await driver.delete("/t")

    assert await driver.list("/") == []
    assert (planted / "link").read_bytes() == SECRET


async def test_a_later_symlink_is_refused_too(driver: FilesystemDriver, root: Path, outside: Path) -> None:
    """Exchanging a directory for a symlink after its files were asked for gives nothing away."""
    await driver.put("/t/directory/link", b"content")
    assert (await driver.stat("/t/directory/link")).size == 7
    assert await driver.get("/t/directory/link") == b"content"
    (root / "t" / "directory").rename(root / "t" / "before")
    (root / "t" / "directory").symlink_to(outside)
    for call in READS:
        with pytest.raises(PathInvalid):
            await call(driver, "/t/directory/link")
    (root / "t" / "directory").unlink()
    (root / "t" / "before").rename(root / "t" / "directory")

    assert await driver.get("/t/directory/link") == b"content"


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.parametrize("plant", [_fifo, _socket, _loop])
async def test_what_is_no_plain_file_hangs_nobody(
    driver: FilesystemDriver, root: Path, plant: Callable[[Path], None]
) -> None:
    """A FIFO, a socket or a symlink to itself is refused at once, and can be deleted."""
    (root / "t").mkdir()
    plant(root / "t" / "data")
    for call in [*READS, _write, _move]:
        with pytest.raises(PathInvalid):
            await call(driver, "/t/data")
    await driver.delete("/t")

    assert await driver.list("/") == []


async def test_a_fifo_with_a_reader_is_not_written_to(driver: FilesystemDriver, root: Path) -> None:
    """Also where opening a FIFO would succeed nothing is sent into it."""
    (root / "t").mkdir()
    _fifo(root / "t" / "data")
    reader = os.open(root / "t" / "data", os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(PathInvalid):
        await _write(driver, "/t/data")

    assert os.read(reader, 100) == b""
    os.close(reader)


async def test_names_of_others_are_not_listed(driver: FilesystemDriver, root: Path) -> None:
    """Leftovers of writers that died, and names that no path can have, are left out, and go with their directory."""
    await driver.put("/t/link", b"content")
    uuid = "11111111-2222-4333-8444-555555555555"
    for name in (f"{uuid}.tmp", f"link.{uuid}.tmp", "lost+found", "a b", "\udcff"):
        (root / "t" / name).touch()
    (root / "t" / ".nfs0001").touch()

    assert await driver.list("/t") == [".nfs0001", "link"]
    await driver.delete("/t")
    assert await driver.list("/") == []


async def test_modes_are_what_the_umask_leaves(driver: FilesystemDriver, root: Path) -> None:
    """Directories are 0777 and files 0666 before the umask, as in a tree shared with Distribution."""
    before = os.umask(0o027)
    try:
        await driver.put("/t/a/link", b"")
        async with driver.writer("/t/b/data"):
            pass
    finally:
        os.umask(before)
    modes = {path: (root / path).stat().st_mode & 0o777 for path in ("t", "t/a", "t/b", "t/a/link", "t/b/data")}

    assert modes == {"t": 0o750, "t/a": 0o750, "t/b": 0o750, "t/a/link": 0o640, "t/b/data": 0o640}


async def test_the_root_of_the_machine_can_be_a_root() -> None:
    """`/` as the root directory is odd, and works."""
    driver = FilesystemDriver("/")

    assert "proc" in await driver.list("/")
    assert (await driver.stat("/proc")).is_directory
    assert driver.local_path("/t/link") == "/t/link"
    with pytest.raises(PathNotFound):
        await driver.get("/no/such/file/here")
    driver.close()
