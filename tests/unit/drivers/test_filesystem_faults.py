"""Disks that are full, broken or forbidden, and deaths between any two steps."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from entrepot.driver import PathNotFound
from entrepot.drivers.durable import is_temporary
from entrepot.drivers.filesystem import FilesystemDriver
from tests.programs import need
from tests.unit.drivers.operation import NEW, OLD, OPERATIONS
from tests.unit.drivers.processes import KILLED, run, run_broken

STEPS = {
    "put": ("mkdirat", "writev", "fsync", "/^rename"),
    "replace": ("writev", "fsync", "/^rename"),
    "move": ("mkdirat", "fsync", "/^rename"),
    "delete": ("unlinkat", "fsync"),
}
ERRORS = {"ENOSPC": "NoSpace", "EDQUOT": "NoSpace", "EIO": "OSError", "EROFS": "OSError"}
# What may be at each path before and after; anything in between is a torn state.
STATES: dict[str, tuple[dict[str, bytes], dict[str, bytes]]] = {
    "put": ({}, {"t/a/link": NEW}),
    "replace": ({"t/link": OLD}, {"t/link": NEW}),
    "move": ({"t/link": OLD}, {"t/b/data": OLD}),
    "delete": ({"t/link": OLD}, {}),
}


def prepare(root: Path, name: str) -> None:
    """Bring `root` into the state before the operation `name`."""
    for path, content in STATES[name][0].items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)


def files(root: Path) -> dict[str, bytes]:
    """Every file in `root`, temporary ones too."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def whole(root: Path) -> dict[str, bytes]:
    """Every file in `root` that a driver would list."""
    return {path: content for path, content in files(root).items() if not is_temporary(Path(path).name)}


@pytest.mark.parametrize("name", STATES)
@pytest.mark.parametrize("fault", ["error=EIO", "signal=KILL"])
async def test_a_fault_at_any_step_leaves_old_or_new(tmp_path: Path, name: str, fault: str) -> None:
    """Whichever call fails, or is the last one: what was there is whole, nothing else is left, and a retry succeeds."""
    for call in STEPS[name]:
        for number in range(1, 20):
            root = tmp_path / f"{call.strip('/^')}-{number}"
            root.mkdir()
            prepare(root, name)
            outcome = run_broken(root, name, call, f"{fault}:when={number}")
            if outcome == "done":
                break
            assert outcome == ("OSError" if fault == "error=EIO" else KILLED)
            await check_broken(root, name, is_killed=outcome == KILLED)
        assert 1 < number < 19, "it failed at least once, and came to its end"


async def check_broken(root: Path, name: str, *, is_killed: bool) -> None:
    """Judge what an operation has left, and do it again."""
    before, after = STATES[name]
    assert whole(root) in (before, after)
    assert is_killed or files(root) == whole(root), "an operation that failed cleans up"
    driver = FilesystemDriver(str(root))
    with suppress(PathNotFound):  # a move or a delete that had been done
        await OPERATIONS[name](driver)
    driver.close()

    assert whole(root) == after


@pytest.mark.parametrize(("error", "outcome"), ERRORS.items())
def test_errors_of_the_system_in_the_words_of_the_port(root: Path, error: str, outcome: str) -> None:
    """A full disk or quota is NoSpace; everything else stays the OSError that it is."""
    assert run_broken(root, "put", "writev", f"error={error}:when=1") == outcome


def test_a_persistent_fault_leaves_nothing(root: Path) -> None:
    """Where every sync fails, not only one, no file and no directory of the attempt stays."""
    assert run_broken(root, "put", "fsync", "error=EIO") == "OSError"
    assert list(root.iterdir()) == []


def test_an_interrupted_or_short_write_is_gone_on_with(root: Path) -> None:
    """A call that takes only a part, or none because of a signal, is repeated until all is written."""
    assert run_broken(root, "append", "writev", "error=EINTR:when=1") == "done"
    assert (root / "t" / "a" / "data").read_bytes() == NEW


def test_a_failed_sync_is_never_tried_again(root: Path) -> None:
    """After one failed sync the next one fails as well, though the kernel would say it is fine: the bytes are lost."""
    assert run_broken(root, "sync_twice", "fdatasync", "error=EIO:when=1") == "OSError"
    assert run_broken(root, "sync_twice", "fdatasync", "error=EIO:when=2") == "done"


@pytest.mark.parametrize("name", ["fill", "fill_inodes"])
def test_a_full_disk_is_survived(root: Path, name: str) -> None:
    """On a file system without space, or without inodes, what is there stays, and work goes on when there is some."""
    options = "nr_inodes=40" if name == "fill_inodes" else "size=1m"
    script = f'mount -t tmpfs -o {options} none "{root}" && exec "$@"'
    namespace = [need("unshare"), "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]
    try:
        outcome = run(root, name, namespace)
    except AssertionError as error:
        if "unshare failed" in str(error) or "permission denied" in str(error):
            pytest.skip("this system lets nobody mount in a namespace of his own")
        raise

    assert outcome == "done"


def test_a_limit_on_the_size_of_files_is_a_full_disk(root: Path) -> None:
    """A file that may not grow is as if there were no space."""
    assert run(root, "limited") == "done"


@contextmanager
def _unprivileged() -> Iterator[None]:
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


async def test_what_is_forbidden_is_an_error_and_not_missing() -> None:
    """A directory or file that this user may not use raises PermissionError, and nothing is left of the attempt."""
    with _unprivileged(), tempfile.TemporaryDirectory(dir="/tmp") as path:
        driver = FilesystemDriver(path)
        await driver.put("/t/link", OLD)
        os.chmod(f"{path}/t/link", 0o000)
        os.chmod(f"{path}/t", 0o500)
        with pytest.raises(PermissionError):
            await driver.get("/t/link")
        for attempt in (
            driver.put("/t/link", NEW),
            driver.put("/t/new/link", NEW),
            driver.delete("/t/link"),
            driver.move("/t/link", "/t/moved"),
            driver.make_directory("/t/new"),
        ):
            with pytest.raises(PermissionError):
                await attempt
        os.chmod(f"{path}/t", 0o700)
        os.chmod(f"{path}/t/link", 0o600)

        assert files(Path(path)) == {"t/link": OLD}
        assert await driver.get("/t/link") == OLD
        with pytest.raises(PathNotFound):
            await driver.get("/t/new/link")
        driver.close()
