"""The digests that something needs, as many as there are: beyond a few megabytes they lie in a temporary file."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable
from types import TracebackType
from typing import Self

from entrepot.oci.digest import Digest


class Marks:
    """A set of digests. A context manager, whose file is gone with it."""

    def __init__(self) -> None:
        # The empty name: a private file, which SQLite removes, and does not write before its memory is full.
        self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = OFF")
        self._connection.execute("CREATE TABLE marks (digest TEXT PRIMARY KEY) WITHOUT ROWID")

    def add(self, digests: Iterable[Digest]) -> None:
        self._connection.execute("BEGIN")
        self._connection.executemany("INSERT OR IGNORE INTO marks VALUES (?)", ((digest,) for digest in digests))
        self._connection.execute("COMMIT")

    def missing(self, digests: Collection[Digest]) -> list[Digest]:
        """Those of the digests that are not in it."""
        query = "SELECT EXISTS (SELECT 1 FROM marks WHERE digest = ?)"
        return [digest for digest in digests if not self._connection.execute(query, (digest,)).fetchone()[0]]

    def __len__(self) -> int:
        return int(self._connection.execute("SELECT COUNT(*) FROM marks").fetchone()[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
