"""The file of the index: opened when it is needed, opened anew when another takes its place, set aside when damaged.

Must not know what is in the tables. All of it blocks.
"""

from __future__ import annotations

import fcntl
import glob
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar
from urllib.parse import quote

from entrepot.index.schema import create_tables, is_empty, misfit
from entrepot.telemetry import get_logger

log = get_logger(__name__)

T = TypeVar("T")

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_KEPT_ASIDE = 2
_SIDE_FILES = ("", "-wal", "-shm")


class Database:
    """One process's way into the file; `patience` is how long it waits, in seconds, while another one writes."""

    def __init__(self, path: str, patience: float = 2.0) -> None:
        self._path = path
        self._patience = patience
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        # Threads take turns: a connection has one transaction at a time.
        self._turn = threading.Lock()

    def run(self, action: Callable[[sqlite3.Connection], T]) -> T:
        """Call `action` in one transaction that writes. Raises sqlite3.Error and OSError.

        A damaged file is set aside first, so that the next call begins a new one.
        """
        with self._turn:
            connection = self._open()
            try:
                connection.execute("BEGIN IMMEDIATE")
                result = action(connection)
                connection.execute("COMMIT")
                return result
            except BaseException as error:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                self._judge(error)
                raise

    def read(self, action: Callable[[sqlite3.Connection], T]) -> T:
        """Call `action`, which only reads and does not keep others from writing; otherwise as `run`."""
        with self._turn:
            connection = self._open()
            try:
                return action(connection)
            except sqlite3.Error as error:
                self._judge(error)
                raise

    def check(self) -> None:
        """Read all of the file, and set it aside where it is damaged. Raises as `run` does."""
        with suppress(sqlite3.DatabaseError):
            found = self.read(lambda connection: connection.execute("PRAGMA quick_check(1)").fetchone()[0])
            if found != "ok":
                with self._turn:
                    self._set_aside(found)

    def close(self) -> None:
        with self._turn:
            self._drop()

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None and inode_of(self._path) != self._inode:
            self._drop()
        if self._connection is None:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            with _alone(self._path):
                self._connection = _open_fitting(self._path, self._patience)
                self._inode = inode_of(self._path)
        return self._connection

    def _judge(self, error: BaseException) -> None:
        if _is_damage(error):
            self._set_aside(str(error))

    def _set_aside(self, reason: str) -> None:
        inode = self._inode
        self._drop()
        with suppress(OSError), _alone(self._path):
            # Another process may have been quicker.
            if inode_of(self._path) == inode:
                _set_aside(self._path, reason)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()


def connect(path: str, patience: float) -> sqlite3.Connection:
    """A connection to a file that exists. In no transaction but those that are begun by hand; for any thread."""
    uri = f"file:{quote(path)}?mode=rw"
    return sqlite3.connect(uri, timeout=patience, isolation_level=None, check_same_thread=False, uri=True)


def inode_of(path: str) -> int:
    """Which file it is; 0 where there is none."""
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0


def _open_fitting(path: str, patience: float) -> sqlite3.Connection:
    try:
        connection, reason = _try(path, patience)
    except sqlite3.DatabaseError as error:
        if not _is_damage(error):
            raise
        connection, reason = None, str(error)
    if connection is None:
        _set_aside(path, reason)
        connection, reason = _try(path, patience)
    if connection is None:
        raise sqlite3.DatabaseError(reason)
    return connection


def _try(path: str, patience: float) -> tuple[sqlite3.Connection | None, str]:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666))
    connection = connect(path, patience)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        # After a loss of power the last seconds may be missing, which costs nothing but some recency.
        connection.execute("PRAGMA synchronous = NORMAL")
        if is_empty(connection):
            create_tables(connection)
        reason = misfit(connection)
    except BaseException:
        connection.close()
        raise
    if reason is None:
        return connection, ""
    connection.close()
    return None, reason


def _set_aside(path: str, reason: str) -> None:
    aside = f"{path}.damaged-{time.time_ns()}"
    for suffix in _SIDE_FILES:
        with suppress(FileNotFoundError):
            os.rename(path + suffix, aside + suffix)
    log.error("index_set_aside", path=aside, reason=reason)
    earlier = sorted(name for name in glob.glob(f"{glob.escape(path)}.damaged-*") if name.rpartition("-")[2].isdigit())
    for name in earlier[:-_KEPT_ASIDE]:
        for suffix in _SIDE_FILES:
            with suppress(OSError):
                os.unlink(name + suffix)


def _is_damage(error: BaseException) -> bool:
    # An error's low byte is its primary code.
    return isinstance(error, sqlite3.Error) and (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF in _DAMAGED


@contextmanager
def _alone(path: str) -> Iterator[None]:
    descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
