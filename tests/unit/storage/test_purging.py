"""Which uploads are purged, and what is left alone among them."""

import asyncio
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.drivers.filesystem import FilesystemDriver
from entrepot.storage import layout
from entrepot.storage.purging import UploadPurging

NOW = 1_700_000_000.0
AGE = 3600.0
OLD, YOUNG = NOW - 2 * AGE, NOW - AGE / 2


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[FilesystemDriver]:
    """A store of files."""
    driver = FilesystemDriver(str(tmp_path))
    driver.check()
    yield driver
    driver.close()


def purging(driver: FilesystemDriver, *, dryrun: bool = False, interval: float = 60.0) -> UploadPurging:
    """Purging at a fixed time, without a delay."""
    return UploadPurging(driver, AGE, interval, dryrun=dryrun, delay=0.0, clock=lambda: NOW)


def text(moment: float) -> str:
    """How a session tells when it began."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def session(root: Path, started: str | None, *, written: float = OLD, name: str = "team/app") -> Path:
    """A session that was written to at this time; `started` is what it says of its start, None for nothing."""
    path = Path(f"{root}{layout.REPOSITORIES}/{name}/_uploads/{uuid.uuid4()}")
    (path / "hashstates" / "sha256").mkdir(parents=True)
    (path / "data").write_bytes(b"data")
    if started is not None:
        (path / "startedat").write_text(started)
    date(path, written)
    return path


def date(path: Path, moment: float) -> None:
    """Give all that is in a directory, and itself, this time of the last change."""
    for entry in (*path.rglob("*"), path):
        os.utime(entry, (moment, moment), follow_symlinks=False)


async def test_old_session(driver: FilesystemDriver, tmp_path: Path) -> None:
    """It goes with all that is in it; its neighbours stay."""
    old, young = session(tmp_path, text(OLD)), session(tmp_path, text(YOUNG), written=YOUNG)

    tally = await purging(driver).purge()

    assert not old.exists()
    assert young.exists()
    assert (tally.purged, tally.spared, tally.foreign, tally.failed) == (1, 1, 0, 0)


@pytest.mark.parametrize("name", ["a", "a/b/c", "a__b/c.d", "/".join("x" * 100)])
async def test_every_repository(driver: FilesystemDriver, tmp_path: Path, name: str) -> None:
    """However deep it lies, and where there is nothing but uploads."""
    old = session(tmp_path, text(OLD), name=name)

    await purging(driver).purge()

    assert not old.exists()


@pytest.mark.parametrize(
    "started", [None, "", "no time", "2023-13-45T00:00:00Z", "9999-01-01T00:00:00Z", "\xff", "2" * 10_000]
)
async def test_start_that_says_nothing(driver: FilesystemDriver, tmp_path: Path, started: str | None) -> None:
    """Then the session is as old as the newest file in it."""
    old, young = session(tmp_path, started), session(tmp_path, started, written=YOUNG)

    await purging(driver).purge()

    assert not old.exists()
    assert young.exists()


@pytest.mark.parametrize("file", ["data", "hashstates", "startedat", "."])
async def test_written_to_lately(driver: FilesystemDriver, tmp_path: Path, file: str) -> None:
    """An upload that takes days is not old while it goes on."""
    slow = session(tmp_path, text(OLD))
    os.utime(slow / file, (YOUNG, YOUNG))

    tally = await purging(driver).purge()

    assert slow.exists()
    assert tally.spared == 1


@pytest.mark.parametrize(
    ("started", "stays"),
    [("2023-11-14T21:43:20", True), ("2023-11-14T23:43:20+02:00", True), ("2023-11-14T22:43:20+02:00", False)],
)
async def test_time_zones(driver: FilesystemDriver, tmp_path: Path, started: str, stays: bool) -> None:
    """A start without a zone is UTC, another zone is understood."""
    found = session(tmp_path, started)

    await purging(driver).purge()

    assert found.exists() == stays


async def test_locked_session(driver: FilesystemDriver, tmp_path: Path) -> None:
    """While somebody holds its lock it stays, and goes when it is free."""
    held = session(tmp_path, text(OLD))
    async with driver.lock(f"{str(held).removeprefix(str(tmp_path))}/startedat"):
        assert (await purging(driver).purge()).spared == 1
    assert held.exists()

    await purging(driver).purge()
    assert not held.exists()


async def test_dry_run(driver: FilesystemDriver, tmp_path: Path) -> None:
    """It counts what would go, and removes nothing."""
    old = session(tmp_path, text(OLD))

    tally = await purging(driver, dryrun=True).purge()

    assert tally.purged == 1
    assert (old / "data").exists()


async def test_foreign_files(driver: FilesystemDriver, tmp_path: Path) -> None:
    """What is no session is left alone, and a symlink is not followed to what it names."""
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    (outside / "startedat").write_text(text(OLD))
    date(outside, OLD)
    uploads = session(tmp_path, text(OLD)).parent
    (uploads / "README").write_text("hello")
    (uploads / str(uuid.uuid4()).upper()).mkdir()
    (uploads / str(uuid.uuid4())).write_text("a file")
    (uploads / str(uuid.uuid4())).symlink_to(outside)
    (uploads.parent.parent / "linked").symlink_to(outside)

    tally = await purging(driver).purge()

    assert (tally.purged, tally.foreign, tally.failed) == (1, 4, 0)
    assert len(list(uploads.iterdir())) == 4
    assert (outside / "deep").is_dir()
    assert (outside / "startedat").exists()


async def test_links_within_a_session(driver: FilesystemDriver, tmp_path: Path) -> None:
    """They are removed with it; what they name stays."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "data").write_text("mine")
    old = session(tmp_path, None)
    (old / "startedat").symlink_to(outside / "data")
    (old / "elsewhere").symlink_to(outside)
    date(old, OLD)

    await purging(driver).purge()

    assert not old.exists()
    assert (outside / "data").read_text() == "mine"


async def test_session_that_cannot_be_removed(driver: FilesystemDriver, tmp_path: Path) -> None:
    """A failure is counted and ends nothing: the others go."""
    stubborn, old = session(tmp_path, text(OLD), name="a"), session(tmp_path, text(OLD), name="b")

    class Stubborn(FilesystemDriver):
        async def delete(self, path: str) -> None:
            if path.endswith(stubborn.name):
                raise PermissionError(path)
            await super().delete(path)

    other = Stubborn(str(tmp_path))
    tally = await purging(other).purge()
    other.close()

    assert (tally.purged, tally.failed) == (1, 1)
    assert stubborn.exists()
    assert not old.exists()


async def test_many_sessions(driver: FilesystemDriver, tmp_path: Path) -> None:
    """No more names at once than a batch has, however many there are."""
    uploads = Path(f"{tmp_path}{layout.REPOSITORIES}/a/_uploads")
    for _ in range(10_050):
        (uploads / str(uuid.uuid4())).mkdir(parents=True)
    limits: list[int | None] = []

    class Watched(FilesystemDriver):
        async def list(self, path: str, after: str = "", limit: int | None = None) -> "list[str]":
            limits.append(limit)
            return [*await super().list(path, after, limit)]

    watched = Watched(str(tmp_path))
    tally = await UploadPurging(watched, -2 * AGE, 60.0, delay=0.0).purge()
    watched.close()

    assert tally.purged == 10_050
    assert not list(uploads.iterdir())
    assert all(limit is not None and limit <= 10_000 for limit in limits)


async def test_empty_store(driver: FilesystemDriver) -> None:
    """A store in which nothing was ever pushed has nothing to purge."""
    assert (await purging(driver).purge()).purged == 0


async def test_round_after_round(driver: FilesystemDriver, tmp_path: Path) -> None:
    """It goes on until it is cancelled."""
    running = asyncio.create_task(purging(driver, interval=0.0).run())
    for _ in range(2):
        old = session(tmp_path, text(OLD))
        while old.exists():
            await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
