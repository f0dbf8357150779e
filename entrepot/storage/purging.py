"""Removing uploads that nobody goes on with. What is no upload session is left alone, and told."""

from __future__ import annotations

import asyncio
import secrets
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

from entrepot.driver import Driver, Locked, NoSpace, PathInvalid, PathNotFound
from entrepot.oci.errors import NameInvalid
from entrepot.oci.names import RepositoryName
from entrepot.storage import layout
from entrepot.storage.turns import taking_turns
from entrepot.telemetry import get_logger
from entrepot.wire.ranges import Span

log = get_logger(__name__)

_BATCH = 10_000
"""Names that are in memory at once; each batch costs a look at every name of the directory."""

_LONGEST_START = 64  # bytes of `startedat`
_AHEAD = 24 * 3600.0
"""Seconds that a session may seem to begin in the future: clocks differ, but not by more."""

_LEAST_PAUSE = 1.0  # seconds


@dataclass(slots=True)
class Tally:
    """What one round has done."""

    purged: int = 0
    spared: int = 0
    foreign: int = 0
    failed: int = 0


class UploadPurging:
    """A duty: removes sessions older than `age` seconds, every `interval` seconds; `dryrun` only tells which.

    A session is as old as its `startedat` says, or else as the newest file in it. One that somebody writes to, or has
    written to within `age`, stays whatever its start is. The first round comes after a whole number of minutes, chosen
    by chance up to `delay` seconds, so that nodes that start together do not all walk the store together.
    """

    def __init__(
        self,
        driver: Driver,
        age: float,
        interval: float,
        *,
        dryrun: bool = False,
        delay: float = 59 * 60.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._driver = driver
        self._age = age
        self._interval = max(interval, _LEAST_PAUSE)
        self._dryrun = dryrun
        self._delay = delay
        self._clock = clock

    async def run(self) -> None:
        """Round after round, until cancelled."""
        first = 60.0 * secrets.randbelow(int(self._delay // 60) + 1)
        log.info("upload_purge_scheduled", seconds=first)
        await asyncio.sleep(first)
        while True:
            await self.purge()
            await asyncio.sleep(self._interval)

    async def purge(self) -> Tally:
        """One round through all repositories. A session that cannot be removed is told, and does not end it."""
        log.info("upload_purge_started", age=self._age, dryrun=self._dryrun)
        tally = Tally()
        async for name in _repositories(self._driver, ""):
            await self._purge_repository(name, tally)
        log.info(
            "upload_purge_finished",
            purged=tally.purged,
            spared=tally.spared,
            foreign=tally.foreign,
            errors=tally.failed,
            dryrun=self._dryrun,
        )
        return tally

    async def _purge_repository(self, name: RepositoryName, tally: Tally) -> None:
        before = tally.foreign
        async for upload in _children(self._driver, layout.uploads(name)):
            try:
                await self._visit(name, upload, tally)
            except PathNotFound:
                continue  # ended meanwhile
            except PathInvalid:
                tally.foreign += 1
            except (OSError, NoSpace) as error:
                tally.failed += 1
                log.warning("upload_not_purged", repository=str(name), upload=upload, error=str(error))
        if tally.foreign > before:
            log.warning("foreign_files_among_uploads", repository=str(name), count=tally.foreign - before)

    async def _visit(self, name: RepositoryName, upload: str, tally: Tally) -> None:
        path = layout.upload(name, upload)
        if not _is_session_id(upload) or not (await self._driver.stat(path)).is_directory:
            tally.foreign += 1
            return
        started = await self._started(path)
        if not await self._is_old(path, started):
            tally.spared += 1
            return
        if self._dryrun:
            log.info("upload_would_be_purged", repository=str(name), upload=upload, startedat=started)
            tally.purged += 1
        elif await self._remove(path):
            log.info("upload_purged", repository=str(name), upload=upload, startedat=started)
            tally.purged += 1
        else:
            tally.spared += 1

    async def _is_old(self, path: str, started: float | None) -> bool:
        latest = self._clock() - self._age
        return (started is None or started <= latest) and await self._written(path) <= latest

    async def _started(self, path: str) -> float | None:
        # Read as a stream, which no driver keeps in its memory: each is looked at once a round.
        content = bytearray()
        try:
            async for piece in self._driver.read(f"{path}/startedat", Span(0, _LONGEST_START)):
                content += piece
            started = datetime.fromisoformat(content.decode("ascii"))
            moment = (started if started.tzinfo else started.replace(tzinfo=UTC)).timestamp()
        except (PathNotFound, PathInvalid, ValueError, OverflowError):
            return None
        return moment if moment <= self._clock() + _AHEAD else None

    async def _written(self, path: str) -> float:
        latest = (await self._driver.stat(path)).modified
        for child in await self._driver.list(path, "", _BATCH):
            try:
                latest = max(latest, (await self._driver.stat(f"{path}/{child}")).modified)
            except (PathNotFound, PathInvalid):
                continue
        return latest

    async def _remove(self, path: str) -> bool:
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(self._driver.lock(f"{path}/startedat"))
            except (PathNotFound, PathInvalid):
                pass  # nobody can write to a session without it
            except Locked:
                return False
            # Whoever had the lock until now may have written.
            if await self._written(path) > self._clock() - self._age:
                return False
            await self._driver.delete(path)
            return True


async def _repositories(driver: Driver, parent: str) -> AsyncIterator[RepositoryName]:
    """Every name below which there may be uploads, which need not be a repository of the catalog yet."""
    directory = f"{layout.REPOSITORIES}/{parent}" if parent else layout.REPOSITORIES
    async for child in _children(driver, directory):
        text = f"{parent}/{child}" if parent else child
        try:
            name = RepositoryName.parse(text)
        except NameInvalid:
            continue  # the registry's own `_layers` and the like, or somebody else's
        yield name
        async for inner in _repositories(driver, text):
            yield inner


async def _children(driver: Driver, path: str) -> AsyncIterator[str]:
    after = ""
    while True:
        try:
            names = await driver.list(path, after, _BATCH)
        except (PathNotFound, PathInvalid):
            return
        except OSError as error:
            log.warning("uploads_not_listed", path=path, error=str(error))
            return
        async for name in taking_turns(names):
            yield name
        if len(names) < _BATCH:
            return
        after = names[-1]


def _is_session_id(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
