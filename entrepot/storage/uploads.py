"""Upload sessions: append, commit, cancel. All state is in the store; what is in memory only saves work.

The layout is Distribution's, so that either server can go on with what the other began. Its `hashstates` are neither
read nor written: they are a dump of another language's memory.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from entrepot.driver import Driver, Locked, NoSpace, PathNotFound, Writer
from entrepot.oci.descriptor import OCTET_STREAM, Descriptor
from entrepot.oci.digest import CANONICAL, Digest, Hasher, new_hasher
from entrepot.oci.errors import (
    BlobUploadBusy,
    BlobUploadUnknown,
    DigestInvalid,
    RangeInvalid,
    SizeInvalid,
    TooManyRequests,
)
from entrepot.oci.names import RepositoryName
from entrepot.pouring import pour
from entrepot.storage import layout
from entrepot.storage.allowance import Allowance
from entrepot.storage.blobs import BlobStore
from entrepot.storage.recent import Recent
from entrepot.telemetry import get_logger
from entrepot.wire.ranges import Span, format_upload_range

log = get_logger(__name__)

_LOCK_PATIENCE = 2.0  # seconds; a client that reconnects may meet its own dying request
_LOCK_PAUSE = 0.05


@dataclass(frozen=True, slots=True)
class RunningHash:
    """The hash of the first `offset` bytes of an upload, as this process saw them go by."""

    algorithm: str
    hasher: Hasher
    offset: int
    modified: float = 0.0
    """When the file that holds them was written last: another one may have taken its place since."""


class Uploads:
    """All upload sessions of a registry, and the hashes that run along in this process."""

    def __init__(self, driver: Driver, blobs: BlobStore, allowance: Allowance) -> None:
        self.driver = driver
        self.blobs = blobs
        self.allowance = allowance
        # A session that is not found here, because another worker began it, is hashed again at its commit.
        self.hashes: Recent[str, RunningHash] = Recent(4096, lambda _: 1)
        self._begun: Recent[RepositoryName, int] = Recent(1024, lambda _: 1)

    async def start(self, name: RepositoryName, algorithm: str) -> UploadSession:
        """A new session; durable, so that the client may come back to it. Raises TooManyRequests, NoSpace."""
        self.allowance.check_room()
        await self._limit(name)
        started_at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        session = UploadSession(self, name, str(uuid.uuid4()), started_at)
        await self.driver.put(f"{session.path}/startedat", started_at.encode())
        self.hashes.put(session.id, RunningHash(algorithm, new_hasher(algorithm), 0))
        return session

    async def _limit(self, name: RepositoryName) -> None:
        # Counted in the store only once so many were begun here that the bound could have been reached.
        most = self.allowance.sessions
        if not most:
            return
        begun = (self._begun.get(name) or 0) + 1
        if begun > most:
            begun = await self._count(name) + 1
        self._begun.put(name, begun)
        if begun > most:
            raise TooManyRequests(f"{most} uploads of {name} are open", headers=[("retry-after", "60")])

    async def _count(self, name: RepositoryName) -> int:
        try:
            return len(await self.driver.list(layout.uploads(name), "", self.allowance.sessions))
        except PathNotFound:
            return 0

    async def resume(self, name: RepositoryName, upload_id: str) -> UploadSession:
        """Raises BlobUploadUnknown; also for an id that is no UUID, and for a session whose start is garbled."""
        try:
            parsed = uuid.UUID(upload_id)
            if str(parsed) != upload_id:
                raise BlobUploadUnknown(upload_id[:64])
            started_at = (await self.driver.get(f"{layout.upload(name, upload_id)}/startedat")).decode("ascii")
            datetime.fromisoformat(started_at)
        except (ValueError, PathNotFound):
            raise BlobUploadUnknown(upload_id[:64]) from None
        return UploadSession(self, name, upload_id, started_at)


class UploadSession:
    """One session. Not for two tasks at once: they are kept apart by a lock in the store, not in this object."""

    def __init__(self, uploads: Uploads, name: RepositoryName, upload_id: str, started_at: str) -> None:
        self._uploads = uploads
        self._driver = uploads.driver
        self._name = name
        self.id = upload_id
        self.started_at = started_at
        self.path = layout.upload(name, upload_id)
        self._data = f"{self.path}/data"

    async def offset(self) -> int:
        try:
            return (await self._driver.stat(self._data)).size
        except PathNotFound:
            await self._uploads.resume(self._name, self.id)
            return 0

    async def append(self, chunks: AsyncIterator[bytes], at: int, length: int | None) -> int:
        async with self._lock():
            return await self._receive(chunks, at, length)

    async def commit(self, digest: Digest, chunks: AsyncIterator[bytes], at: int, length: int | None) -> Descriptor:
        async with self._lock():
            size = await self._receive(chunks, at, length)
            actual = await self._digest(digest.algorithm, size)
            try:
                if actual == digest:
                    # The link last: it must never name what is not there.
                    await self._uploads.blobs.adopt(self._data, digest)
                    await self._uploads.blobs.link(self._name, digest)
                    if not await self._uploads.blobs.has(digest):
                        # Collected meanwhile, as in `mount`: nobody is told that it is here.
                        raise BlobUploadUnknown(self.id)
            finally:
                # Also after a failure: without its data nobody can go on with it.
                await self._drop()
        if actual != digest:
            raise DigestInvalid(f"the content is {actual}")
        return Descriptor(OCTET_STREAM, digest, size)

    async def cancel(self) -> None:
        async with self._lock():
            self._uploads.hashes.pop(self.id)
            await self._driver.delete(self.path)

    async def _drop(self) -> None:
        self._uploads.hashes.pop(self.id)
        try:
            await self._driver.delete(self.path)
        except (OSError, NoSpace, PathNotFound) as error:
            # What is left behind harms nobody and is purged: a failure here must not undo a commit.
            log.warning("upload_not_removed", upload=self.id, error=str(error))

    @asynccontextmanager
    async def _lock(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await self._acquire(stack)
            yield

    async def _acquire(self, stack: AsyncExitStack) -> None:
        deadline = asyncio.get_running_loop().time() + _LOCK_PATIENCE
        while True:
            try:
                # `startedat` is there from the first to the last moment of a session, so it is what is locked.
                return await stack.enter_async_context(self._driver.lock(f"{self.path}/startedat"))
            except PathNotFound:
                raise BlobUploadUnknown(self.id) from None
            except Locked:
                if asyncio.get_running_loop().time() > deadline:
                    raise BlobUploadBusy("another request is writing to this upload") from None
            await asyncio.sleep(_LOCK_PAUSE)

    async def _receive(self, chunks: AsyncIterator[bytes], at: int, length: int | None) -> int:
        async with self._driver.writer(self._data) as writer:
            before = writer.offset
            if at != before:
                raise RangeInvalid(
                    f"the upload holds {before} bytes, the chunk starts at {at}",
                    headers=[("range", format_upload_range(before))],
                )
            running = await self._running(before)
            allowed = self._uploads.allowance.bounded(chunks, before)
            await self._fill(writer, allowed if length is None else _exactly(allowed, length), running)
            await self._sync(writer)
            if running is not None:
                modified = (await self._driver.stat(self._data)).modified
                kept = RunningHash(running.algorithm, running.hasher, writer.offset, modified)
                self._uploads.hashes.put(self.id, kept)
            return writer.offset

    async def _fill(self, writer: Writer, chunks: AsyncIterator[bytes], running: RunningHash | None) -> None:
        before = writer.offset
        try:
            await pour(chunks, writer.write, None if running is None else running.hasher)
        except (SizeInvalid, NoSpace):
            await writer.truncate(before)
            raise

    async def _sync(self, writer: Writer) -> None:
        try:
            await writer.sync()
        except (OSError, NoSpace):
            # The kernel may have dropped the pages and would report success next time: nothing here can be trusted.
            await self._drop()
            raise

    async def _running(self, offset: int) -> RunningHash | None:
        # Taken out while it is used: after a failure nobody knows what it has seen.
        running = self._uploads.hashes.pop(self.id)
        if offset == 0:
            is_new = running is not None and running.offset == 0
            return running if is_new else RunningHash(CANONICAL, new_hasher(CANONICAL), 0)
        if running is None or running.offset != offset:
            return None
        entry = await self._driver.stat(self._data)
        return running if entry.modified == running.modified else None

    async def _digest(self, algorithm: str, size: int) -> Digest:
        running = self._uploads.hashes.get(self.id)
        if running is not None and running.offset == size and running.algorithm == algorithm:
            return Digest.from_hasher(algorithm, running.hasher)
        hasher = new_hasher(algorithm)
        async for chunk in self._driver.read(self._data, Span(0, size)):
            await asyncio.to_thread(hasher.update, chunk)
        return Digest.from_hasher(algorithm, hasher)


async def _exactly(chunks: AsyncIterator[bytes], length: int) -> AsyncIterator[bytes]:
    received = 0
    async for chunk in chunks:
        received += len(chunk)
        if received > length:
            raise SizeInvalid(f"more than the {length} bytes of its Content-Range")
        yield chunk
    if received < length:
        raise SizeInvalid(f"{received} of the {length} bytes of its Content-Range")
