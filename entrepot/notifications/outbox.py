"""The outbox: events on their way to endpoints, in a file that outlives the processes. All of it blocks.

Each endpoint reads in order, and remembers how far it has come. Must not know HTTP, or what is in an event.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import NamedTuple, TypeVar
from urllib.parse import quote

from entrepot.notifications.events import Event
from entrepot.telemetry import get_logger

log = get_logger(__name__)

T = TypeVar("T")

MOST, MOST_BYTES = 100_000, 256 << 20
"""Events that wait, and their bytes; beyond that the oldest go unsent: an endpoint may never be up again."""

_BATCH_BYTES = 4 << 20

_PATIENCE = 10.0  # seconds that a writer waits for another one
_TABLES = (
    """CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY AUTOINCREMENT, action TEXT NOT NULL,
       media_type TEXT NOT NULL, body TEXT NOT NULL)""",
    "CREATE TABLE IF NOT EXISTS endpoints (name TEXT PRIMARY KEY, position INTEGER NOT NULL)",
)
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class Waiting(NamedTuple):
    """An event with its place in the order of all."""

    position: int
    event: Event


class Outbox:
    """One process's way to the file at `path`, which is made when it is needed. Raises sqlite3.Error and OSError."""

    def __init__(self, path: str, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._path = path
        self._most = most
        self._most_bytes = most_bytes
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._registered: Collection[str] = ()
        # Positions in one file mean nothing in the next: counted are those that were opened, and which one was read.
        self._files = 0
        self._read_in: dict[str, int] = {}
        self._turn = threading.Lock()

    def add(self, events: Sequence[Event]) -> int:
        """Append; durable when it returns. Answers how many old ones had to go for it."""

        def insert(connection: sqlite3.Connection) -> int:
            connection.executemany("INSERT INTO events (action, media_type, body) VALUES (?, ?, ?)", events)
            newest = connection.execute("SELECT MAX(id) FROM events").fetchone()[0]
            gone = connection.execute("DELETE FROM events WHERE id <= ?", (newest - self._most,)).rowcount
            while _used(connection) > self._most_bytes and (some := _drop_oldest(connection)):
                gone += some
            return gone

        return self._run(insert)

    def register(self, names: Collection[str]) -> None:
        """These endpoints are told, and no others; one that is new hears of what happens from now on.

        Should the file be replaced later, they are told all that comes into the new one.
        """

        def note(connection: sqlite3.Connection) -> None:
            known = {name for (name,) in connection.execute("SELECT name FROM endpoints")}
            newest = connection.execute("SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence").fetchone()[0]
            # Where nobody was told before, all is for the first ones.
            begin = newest if known else 0
            connection.executemany("DELETE FROM endpoints WHERE name = ?", [(name,) for name in known - set(names)])
            rows = [(name, begin) for name in names if name not in known]
            connection.executemany("INSERT INTO endpoints VALUES (?, ?)", rows)

        self._registered = ()
        self._run(note)
        self._registered = tuple(names)

    def after(self, name: str, limit: int) -> list[Waiting]:
        """What the endpoint has not been told yet, in order; fewer than `limit` where they are large."""

        def read(connection: sqlite3.Connection) -> list[Waiting]:
            query = """SELECT id, action, media_type, body FROM events
                       WHERE id > (SELECT position FROM endpoints WHERE name = ?) ORDER BY id LIMIT ?"""
            found, size = [], 0
            for row in connection.execute(query, (name, limit)):
                found.append(Waiting(row[0], Event(*row[1:])))
                size += len(found[-1].event.body)
                if size > _BATCH_BYTES:
                    break
            self._read_in[name] = self._files
            return found

        return self._run(read, "BEGIN")

    def pending(self, name: str) -> int:
        """How many that are."""
        query = "SELECT COUNT(*) FROM events WHERE id > (SELECT position FROM endpoints WHERE name = ?)"
        return self._run(lambda connection: int(connection.execute(query, (name,)).fetchone()[0]), "BEGIN")

    def told(self, name: str, position: int) -> None:
        """The endpoint has come so far in what `after` gave; what all have been told goes."""

        def note(connection: sqlite3.Connection) -> None:
            if self._read_in.get(name, self._files) != self._files:
                return  # that was in a file which is no more
            connection.execute("UPDATE endpoints SET position = ? WHERE name = ?", (position, name))
            connection.execute("DELETE FROM events WHERE id <= (SELECT MIN(position) FROM endpoints)")

        self._run(note)

    def close(self) -> None:
        with self._turn:
            self._drop()

    def _run(self, action: Callable[[sqlite3.Connection], T], begin: str = "BEGIN IMMEDIATE") -> T:
        with self._turn:
            try:
                return self._transact(action, begin)
            except sqlite3.Error as error:
                if (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF not in _DAMAGED:
                    raise
                self._set_aside(str(error))
                return self._transact(action, begin)

    def _transact(self, action: Callable[[sqlite3.Connection], T], begin: str) -> T:
        connection = self._open()
        try:
            connection.execute(begin)
            result = action(connection)
            connection.execute("COMMIT")
            return result
        except BaseException:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            # Whatever it was: the next one begins with a new connection, and with the file that is there then.
            self._drop()
            raise

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None and _inode_of(self._path) != self._inode:
            # Somebody has taken the file away: what is written to it now nobody would read.
            self._drop()
        if self._connection is None:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            # Events may name whom nobody else need know of.
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._connection, self._inode = self._connect(), _inode_of(self._path)
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        uri = f"file:{quote(self._path)}?mode=rw"
        connection = sqlite3.connect(uri, timeout=_PATIENCE, isolation_level=None, check_same_thread=False, uri=True)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            for table in _TABLES:
                connection.execute(table)
            self._register_again(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _register_again(self, connection: sqlite3.Connection) -> None:
        if not self._registered:
            return
        # None at all: this is another file than the one in which they were noted.
        query = "INSERT INTO endpoints SELECT value, 0 FROM json_each(?) WHERE NOT EXISTS (SELECT * FROM endpoints)"
        if connection.execute(query, (json.dumps(self._registered),)).rowcount > 0:
            self._files += 1
            log.warning("outbox_replaced", path=self._path)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _set_aside(self, reason: str) -> None:
        self._drop()
        aside = f"{self._path}.damaged-{time.time_ns()}"
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                os.rename(self._path + suffix, aside + suffix)
        log.error("outbox_set_aside", path=aside, reason=reason)


def _inode_of(path: str) -> int:
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0


def _used(connection: sqlite3.Connection) -> int:
    all_pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((all_pages - free) * size)


def _drop_oldest(connection: sqlite3.Connection) -> int:
    """A tenth of all, so that it is not one by one."""
    oldest, newest = connection.execute("SELECT MIN(id), MAX(id) FROM events").fetchone()
    if oldest is None or oldest == newest:
        return 0
    return connection.execute("DELETE FROM events WHERE id <= ?", (oldest + (newest - oldest) // 10,)).rowcount
