"""A `Ledger` on the index: what is noted is kept in memory, and written once a second in one transaction."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from entrepot.content import Manifest
from entrepot.index import rows
from entrepot.index.database import Database, connect, inode_of
from entrepot.index.notes import BOUND, Notes
from entrepot.index.rows import NamespaceOf
from entrepot.index.writers import Writer, writers_of
from entrepot.ledger import Kind, Link, TagLink
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import references
from entrepot.oci.names import RepositoryName, Tag
from entrepot.telemetry import get_logger

log = get_logger(__name__)

PRECISION = 5.0
"""Seconds; what is used all the time is written again only so often."""

_SIZE = """SELECT refs.size FROM refs JOIN links ON links.digest = refs.parent
           WHERE refs.child = ? AND links.name = ? LIMIT 1"""
"""As a manifest of the same repository tells it."""

_REMEMBERED = 50_000
_INTERVAL = 1.0


class SqliteLedger:
    """One worker's ledger. Needs no file until `flush`, and goes on without one where there can be none.

    `namespace_of` tells of a repository which upstream it comes from. Run `run`, and nothing else, beside the server.
    """

    def __init__(self, path: str, namespace_of: NamespaceOf, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._database = Database(path)
        self._writer = Writer(writers_of(path))
        self._namespace_of = namespace_of
        self._clock = clock
        self._notes = Notes()
        self._written: dict[tuple[RepositoryName, Digest], float] = {}
        self._confirmed: dict[tuple[RepositoryName, Tag], float] = {}
        self._sizes: dict[tuple[RepositoryName, Digest], int] = {}
        self._reader: sqlite3.Connection | None = None
        self._reads_from = 0
        self._condition = ""

    def used(self, name: RepositoryName, digest: Digest) -> None:
        used = self._notes.used
        if len(used) < BOUND:
            used.add((name, digest))

    def kept_blob(self, name: RepositoryName, digest: Digest, size: int) -> None:
        kept = self._notes.kept
        if len(kept) < BOUND:
            kept[name, digest, Kind.BLOB] = size

    def kept_manifest(self, name: RepositoryName, manifest: Manifest) -> None:
        notes, digest = self._notes, manifest.digest
        needs = tuple((one.digest, one.size) for one in (*references(manifest.parsed), *manifest.parsed.manifests))
        if len(self._sizes) + len(needs) > _REMEMBERED:
            self._sizes = {}
        self._sizes.update(((name, child), size) for child, size in needs[:_REMEMBERED])
        if len(notes.kept) < BOUND and sum(map(len, notes.needs.values())) + len(needs) < BOUND:
            notes.needs[digest] = needs
            notes.kept[name, digest, Kind.MANIFEST] = len(manifest.content)

    def confirmed(self, name: RepositoryName, tag: Tag, digest: Digest) -> None:
        now = self._clock()
        if len(self._confirmed) >= _REMEMBERED:
            self._confirmed = {}
        self._confirmed[name, tag] = now
        noted = self._notes.confirmed
        if len(noted) < BOUND:
            noted[name, tag] = (digest, now)

    def confirmed_at(self, name: RepositoryName, tag: Tag) -> float | None:
        known = self._confirmed.get((name, tag))
        if known is None:
            known = self._ask("SELECT confirmed_at FROM tags WHERE name = ? AND tag = ?", (name, tag))
        return None if known is None else float(known)

    def kept_size(self, digest: Digest) -> int | None:
        known = self._ask("SELECT size FROM links WHERE digest = ? LIMIT 1", (digest,))
        return None if known is None else int(known)

    def size_of(self, name: RepositoryName, digest: Digest) -> int | None:
        known = self._sizes.get((name, digest))
        if known is None:
            known = self._ask(_SIZE, (digest, name))
        return None if known is None else int(known)

    def _ask(self, query: str, parameters: tuple[str, ...]) -> Any:
        # In WAL mode nobody has to wait for those who write; where it would come to that, nobody knows.
        try:
            if self._reader is None:
                self._reads_from = inode_of(self._path)
                self._reader = connect(self._path, 0.0)
            row = self._reader.execute(query, parameters).fetchone()
        except (sqlite3.Error, OSError):
            self._stop_reading()
            return None
        return None if row is None else row[0]

    def _stop_reading(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            with suppress(sqlite3.Error):
                reader.close()

    async def run(self) -> None:
        """Write every second until cancelled, then a last time; raises nothing else."""
        try:
            with suppress(OSError):  # said when there is something to write
                await asyncio.to_thread(self._writer.enter)
            while True:
                await asyncio.sleep(_INTERVAL)
                await self.flush()
        finally:
            await asyncio.shield(self.flush())
            self._stop_reading()
            self._database.close()
            self._writer.leave(is_done=not self._notes)

    async def flush(self) -> None:
        """Write what is noted; what cannot be written now is kept, within bounds, and tried again next time."""
        if self._reader is not None and inode_of(self._path) != self._reads_from:
            self._stop_reading()
        if not self._notes:
            return
        notes, self._notes = self._notes, Notes()
        notes = notes.settled()
        try:
            await asyncio.to_thread(self._write, notes)
        except Exception as error:
            # Whatever it is, requests must go on; said once, not each second.
            self._notes.take_back(notes)
            self._report(f"{type(error).__name__}: {error}")
        else:
            self._report("")

    def _report(self, condition: str) -> None:
        if condition and condition != self._condition:
            log.error("index_not_written", error=condition)
        elif self._condition and not condition:
            log.info("index_written_again")
        self._condition = condition

    def _write(self, notes: Notes) -> None:
        with suppress(OSError):  # where files can not be locked, what is lost with a process stays so until a survey
            self._writer.enter()
        now = self._clock()
        links = [Link(*key, size, now) for key, size in notes.kept.items()]
        # What a new manifest needs may have been here for long.
        used = {(link.name, link.digest) for link in links if link.kind is Kind.MANIFEST}
        used |= {key for key in notes.used if now - self._written.get(key, 0.0) >= PRECISION}

        def write(connection: sqlite3.Connection) -> None:
            rows.put_links(connection, links, self._namespace_of)
            rows.grow(connection, links, self._namespace_of)
            rows.put_needs(connection, notes.needs)
            rows.put_tags(connection, (TagLink(*key, *value) for key, value in notes.confirmed.items()))
            rows.use(connection, used, now)

        self._database.run(write)
        if len(self._written) + len(used) > BOUND:
            self._written = {}
        self._written.update(dict.fromkeys(used, now))
