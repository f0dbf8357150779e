"""How many bytes there are: counted when it matters, and in between known from what was added since."""

from __future__ import annotations

import sqlite3

_ADDED = "SELECT COALESCE(SUM(added), 0) FROM growth"
_ADDED_TO = "SELECT COALESCE(SUM(added), 0) FROM growth WHERE namespace = ?"
# Content that several repositories link is there once.
_SIZE = "SELECT COALESCE(SUM(size), 0) FROM (SELECT MAX(size) AS size FROM links GROUP BY digest) AS once"
_SIZE_OF = """SELECT COALESCE(SUM(size), 0)
    FROM (SELECT MAX(size) AS size FROM links WHERE namespace = ? GROUP BY digest) AS once"""


class Count:
    """Of each namespace, and of all (None), what was counted, and what had been added by then."""

    def __init__(self) -> None:
        self._counted: dict[str | None, tuple[int, int]] = {}

    def size(self, connection: sqlite3.Connection, namespace: str | None, bound: int) -> int:
        """Bytes; too many rather than too few, and exact where they are more than `bound`."""
        where = () if namespace is None else (namespace,)
        added = int(connection.execute(_ADDED if namespace is None else _ADDED_TO, where).fetchone()[0])
        counted = self._counted.get(namespace)
        if counted is not None and added >= counted[1]:  # fewer were added to an index that has just been made anew
            estimate = counted[0] + added - counted[1]
            if estimate <= bound or added == counted[1]:
                return estimate
        size = int(connection.execute(_SIZE if namespace is None else _SIZE_OF, where).fetchone()[0])
        self._counted[namespace] = (size, added)
        return size

    def forget(self) -> None:
        """What is there has changed in another way than by growing."""
        self._counted.clear()
