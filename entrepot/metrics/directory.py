"""The directory in which the processes of one server keep what they count, and the slots in it.

A process counts in the files of a *slot* that it holds alone. When it dies its successor takes the slot and counts on,
so that nothing counted is lost and the number of files is that of the processes that live at the same time.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

PREFIX = "entrepot-metrics-"

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def private_directory() -> Iterator[Path]:
    """A new directory among the temporary files, removed at the end. Raises OSError.

    It is locked as long as any process lives that was forked meanwhile; those of servers that were killed are removed.
    """
    _sweep(Path(tempfile.gettempdir()))
    path, descriptor = _make()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)


def claim_slot(directory: Path) -> tuple[int, int]:
    """The lowest slot that no living process holds, and the descriptor that holds it until it is closed."""
    for slot in count():
        descriptor = os.open(directory / f"slot-{slot}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if _lock(descriptor):
            return slot, descriptor
        os.close(descriptor)
    raise AssertionError("unreachable")  # pragma: no cover


def _make() -> tuple[Path, int]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=PREFIX))
        descriptor = os.open(path, _DIRECTORY)
        # Another server that starts may have taken it for an abandoned one before it was locked.
        if _lock(descriptor) and path.exists():
            return path, descriptor
        os.close(descriptor)


def _sweep(parent: Path) -> None:
    with suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX) and entry.is_dir(follow_symlinks=False):
                _remove_abandoned(entry.path)


def _remove_abandoned(path: str) -> None:
    try:
        descriptor = os.open(path, _DIRECTORY)
    except OSError:
        return
    try:
        if os.fstat(descriptor).st_uid == os.geteuid() and _lock(descriptor):
            shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
