"""What fills and evictions that were killed have left beside the blobs."""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import compress

from entrepot.driver import Driver, LocalPaths
from entrepot.ledger import Remains
from entrepot.oci.digest import Digest
from entrepot.storage import layout
from entrepot.storage.contents import contents
from entrepot.storage.evicted import remove_directory
from entrepot.telemetry import get_logger

log = get_logger(__name__)

_BATCH = 1000
_FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC


class Leftovers:
    """Of a registry on a driver whose files are local; a spool is one after `age` seconds in which it did not grow."""

    def __init__(
        self, driver: Driver, local: LocalPaths, age: float = 24 * 3600.0, clock: Callable[[], float] = time.time
    ) -> None:
        self._driver = driver
        self._local = local
        self._age = age
        self._clock = clock

    async def sweep(self) -> Remains:
        """Remove spools that no fill will go on with, and say what of their content others have left half done."""
        evicted: list[Digest] = []
        brought: list[Digest] = []
        async for digests in contents(self._driver, _BATCH):
            evicted += await self._having(digests, layout.blob_evicted)
            spools = await self._having(digests, layout.blob_spool)
            records = await self._having(digests, _record)
            # A fill removes its record last.
            brought += [digest for digest in records if await asyncio.to_thread(self._is_abandoned, digest)]
            for digest in {*spools, *records}:
                if await asyncio.to_thread(self._remove_spool, self._local.local_path(layout.blob_spool(digest))):
                    log.info("spool_removed", digest=digest)
        return Remains(evicted, brought)

    async def _having(self, digests: Sequence[Digest], path: Callable[[Digest], str]) -> list[Digest]:
        return list(compress(digests, await self._driver.present([path(digest) for digest in digests])))

    def _is_abandoned(self, digest: Digest) -> bool:
        """Whether the content is there, and no fill that brought it is at work any more."""
        try:
            descriptor = os.open(self._local.local_path(layout.blob_data(digest)), _FLAGS)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        finally:
            os.close(descriptor)
        return True

    def _remove_spool(self, spool: str) -> bool:
        before = self._clock() - self._age
        try:
            descriptor = os.open(spool, _FLAGS)
        except FileNotFoundError:
            return _remove_older(f"{spool}.progress", before)
        except OSError as error:
            log.error("spool_not_removed", path=spool, error=str(error))
            return False
        try:
            # Who leads a fill holds this lock, and who finds it held takes us for a leader that is about to end.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            status = os.fstat(descriptor)
            is_there = os.path.samestat(status, os.lstat(spool))
            removed = is_there and status.st_mtime < before and _remove_older(spool, before)
            if removed:
                with suppress(FileNotFoundError):
                    os.unlink(f"{spool}.progress")
                remove_directory(spool)
            return removed
        except (BlockingIOError, FileNotFoundError):
            return False
        finally:
            os.close(descriptor)


def _record(digest: Digest) -> str:
    return f"{layout.blob_spool(digest)}.progress"


def _remove_older(path: str, before: float) -> bool:
    try:
        if os.lstat(path).st_mtime >= before:
            return False
        os.unlink(path)
    except FileNotFoundError:
        return False
    remove_directory(path)
    return True
