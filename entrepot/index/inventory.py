"""What the keeper asks of the index and tells it: what is idle, how much there is, what has left."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from entrepot.index import rows
from entrepot.index.counting import Count
from entrepot.index.database import Database
from entrepot.index.rows import NamespaceOf
from entrepot.index.writers import dead_writers, dismiss, writers_of
from entrepot.ledger import Holdings, Kind, Link, TagLink
from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName, Tag

T = TypeVar("T")

_IN = 500  # parameters of one statement
_TRIES = 20

# With when something was last used that needs it, in the same repository. An index, an image, a layer: two levels.
_IDLE = """
    SELECT name, digest, kind, size, used_at, (
        WITH RECURSIVE above (digest, level) AS (
            SELECT parent, 1 FROM refs WHERE child = oldest.digest
            UNION SELECT refs.parent, above.level + 1 FROM refs JOIN above ON refs.child = above.digest
                  WHERE above.level < 2)
        SELECT MAX(parents.used_at) FROM above JOIN links AS parents
            ON parents.name = oldest.name AND parents.digest = above.digest AND parents.kind = 'manifest')
    FROM (SELECT name, digest, kind, size, used_at FROM links WHERE {where} used_at < ?
          ORDER BY used_at, kind DESC LIMIT ?) AS oldest
    ORDER BY used_at, kind DESC"""

_FORGET = "DELETE FROM links WHERE name = ? AND digest = ? AND kind = ? AND used_at <= ?"
_FORGET_NEEDS = """
    DELETE FROM refs WHERE parent = ? AND NOT EXISTS (SELECT 1 FROM links WHERE digest = ? AND kind = 'manifest')"""
_FORGET_TAGS = "DELETE FROM tags WHERE name = ? AND digest = ?"
_LEAVE = "INSERT INTO leaving (digest) VALUES (?) ON CONFLICT (digest) DO NOTHING"
_SET = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"


class SqliteInventory:
    """The keeper's side of the index; every method runs on a thread, and may raise sqlite3.Error and OSError."""

    def __init__(self, path: str, namespace_of: NamespaceOf) -> None:
        self._database = Database(path, patience=10.0)
        self._writers = writers_of(path)
        self._namespace_of = namespace_of
        self._count = Count()

    def close(self) -> None:
        self._database.close()

    async def check(self) -> None:
        """Read the whole index; a damaged one is set aside, and counts as lost."""
        await asyncio.to_thread(self._database.check)

    async def surveyed_at(self) -> float | None:
        """When the layout was last surveyed to its end; None where the index is new, or was lost."""
        row = await self._read("SELECT value FROM meta WHERE key = 'surveyed_at'", ())
        return float(row[0][0]) if row else None

    async def set_surveyed_at(self, at: float) -> None:
        await self._write(lambda connection: connection.execute(_SET, ("surveyed_at", str(at))))

    async def dead_writers(self) -> Sequence[str]:
        """Processes that were killed, each with what it knew of the last second; until they are dismissed."""
        return await asyncio.to_thread(dead_writers, self._writers)

    async def dismiss(self, writers: Sequence[str]) -> None:
        """What these knew is known."""
        await asyncio.to_thread(dismiss, writers)

    async def record(self, holdings: Holdings) -> None:
        """Add what a survey has found; rows that are newer stay as they are."""

        needs = {parent: [(one.digest, one.size) for one in some] for parent, some in holdings.needs.items()}

        def record(connection: sqlite3.Connection) -> None:
            rows.put_links(connection, holdings.links, self._namespace_of)
            rows.put_needs(connection, needs)
            rows.put_tags(connection, holdings.tags)

        await self._write(record)
        self._count.forget()

    async def page(self, after: Link | None, limit: int) -> Sequence[Link]:
        """Links in the order of their names, after that one."""
        key = ("", "", "") if after is None else (after.name, after.digest, after.kind)
        found = await self._read(
            "SELECT name, digest, kind, size, used_at FROM links WHERE (name, digest, kind) > (?, ?, ?)"
            " ORDER BY name, digest, kind LIMIT ?",
            (*key, limit),
        )
        return [_link(row) for row in found]

    async def size(self, namespace: str | None, bound: int) -> int:
        """Bytes that came from an upstream, or from all where None; exact where they are more than `bound`."""
        return await asyncio.to_thread(self._database.read, lambda reading: self._count.size(reading, namespace, bound))

    async def idle(self, namespace: str | None, before: float, limit: int) -> Sequence[Link]:
        """Links not used since `before`, those longest unused first, manifests before what they need.

        What something needs that was used later counts as used then, and is not among them.
        """
        return await self._write(lambda connection: _idle(connection, namespace, before, limit))

    async def tags(self, links: Sequence[Link]) -> Sequence[TagLink]:
        """The tags that name one of those manifests, in its repository."""

        def ask(connection: sqlite3.Connection) -> list[TagLink]:
            query = "SELECT name, tag, digest, confirmed_at FROM tags WHERE name = ? AND digest = ?"
            found = [
                row
                for link in links
                if link.kind is Kind.MANIFEST
                for row in connection.execute(query, (link.name, link.digest))
            ]
            return [TagLink(RepositoryName(name), Tag(tag), Digest(digest), at) for name, tag, digest, at in found]

        return await asyncio.to_thread(self._database.read, ask)

    async def forget(self, links: Sequence[Link]) -> None:
        """These links are gone, unless they were used since; their content leaves where they were the last."""

        def forget(connection: sqlite3.Connection) -> None:
            manifests = [link for link in links if link.kind is Kind.MANIFEST]
            connection.executemany(_LEAVE, ((link.digest,) for link in links))
            connection.executemany(_FORGET, ((link.name, link.digest, link.kind, link.used_at) for link in links))
            connection.executemany(_FORGET_NEEDS, ((link.digest, link.digest) for link in manifests))
            connection.executemany(_FORGET_TAGS, ((link.name, link.digest) for link in manifests))

        await self._write(forget)
        self._count.forget()

    async def held(self, digests: Iterable[Digest], namespace: str | None = None) -> set[Digest]:
        """Those of the digests that some repository, of that namespace if one is given, still links."""
        wanted = list(digests)

        def ask(connection: sqlite3.Connection) -> set[Digest]:
            held: set[Digest] = set()
            for start in range(0, len(wanted), _IN):
                some = wanted[start : start + _IN]
                marks = ", ".join("?" * len(some))
                query = f"SELECT DISTINCT digest FROM links WHERE digest IN ({marks})"  # noqa: S608  # question marks only
                if namespace is not None:
                    query += " AND namespace = ?"
                found = connection.execute(query, (*some, *(() if namespace is None else (namespace,))))
                held.update(Digest(row[0]) for row in found)
            return held

        return await asyncio.to_thread(self._database.read, ask)

    async def leaving(self, after: str, limit: int) -> Sequence[Digest]:
        """Content that has lost a link, and of which nobody has said that it is `gone`; by digest."""
        found = await self._read("SELECT digest FROM leaving WHERE digest > ? ORDER BY digest LIMIT ?", (after, limit))
        return [Digest(row[0]) for row in found]

    async def leave(self, digests: Sequence[Digest]) -> None:
        """Content that may have no link."""
        rows = [(digest,) for digest in digests]
        await self._write(lambda connection: connection.executemany(_LEAVE, rows))

    async def gone(self, digests: Iterable[Digest]) -> None:
        """There is nothing left to do for these."""
        wanted = [(digest,) for digest in digests]
        await self._write(lambda connection: connection.executemany("DELETE FROM leaving WHERE digest = ?", wanted))

    async def _read(self, query: str, parameters: tuple[object, ...]) -> list[Any]:
        def ask(connection: sqlite3.Connection) -> list[Any]:
            return connection.execute(query, parameters).fetchall()

        return await asyncio.to_thread(self._database.read, ask)

    async def _write(self, action: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.to_thread(self._database.run, action)


def _idle(connection: sqlite3.Connection, namespace: str | None, before: float, limit: int) -> list[Link]:
    where, parameters = ("", ()) if namespace is None else ("namespace = ? AND", (namespace,))
    for _ in range(_TRIES):
        found = connection.execute(_IDLE.format(where=where), (*parameters, before, limit)).fetchall()
        later = [(needed_at, *row[:3]) for *row, needed_at in found if needed_at is not None and needed_at > row[4]]
        idle = [_link(row) for *row, needed_at in found if needed_at is None or needed_at <= row[4]]
        if later:
            connection.executemany("UPDATE links SET used_at = ? WHERE name = ? AND digest = ? AND kind = ?", later)
        if idle or not later:
            return idle
    return []


def _link(row: Sequence[Any]) -> Link:
    name, digest, kind, size, used_at = row
    return Link(RepositoryName(name), Digest(digest), Kind(kind), size, used_at)
