"""One blob on its way from an upstream: begun again, where it breaks off, at the byte it had reached.

Must not know where the bytes go, or whether they are right.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from types import TracebackType
from typing import Self

from entrepot.oci.errors import TooManyRequests, UpstreamFailed, UpstreamUnreachable
from entrepot.telemetry import get_logger
from entrepot.upstream.base import BrokeOff, Download

log = get_logger(__name__)

Open = Callable[[int], AbstractAsyncContextManager[Download]]
"""Begins a download at an offset; each time with the registry itself, as a redirect's signature may have expired."""

_TRIES = 3
"""How often in a row a transfer may break off without having brought what was worth it."""

_WORTH, _SHARE = 1 << 20, 100
"""It was, where it brought so many bytes, or that part of the blob: else a transfer could go on by bytes for ever."""

_UNKNOWN = -1
_FIRST_PAUSE = 0.1  # seconds; doubled at each further try


class Transfer:
    """The bytes of a blob from `start` on. `size` is the whole blob's, as soon as it is entered."""

    def __init__(self, open_upstream: Open, start: int, size: int | None) -> None:
        self.size = _UNKNOWN if size is None else size
        self.position = start
        self._open = open_upstream
        self._stack = AsyncExitStack()
        self._download: Download | None = None

    async def __aenter__(self) -> Self:
        """Raises what the upstream may raise, and UpstreamFailed where it tells another size than is known."""
        if self.position != self.size:
            await self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def chunks(self) -> AsyncGenerator[memoryview, None]:
        """All that is missing. Raises UpstreamFailed where it cannot be had, or where there is more."""
        tries = 0
        while self._download is not None:
            reached = self.position
            failure: UpstreamFailed = BrokeOff(f"{reached} bytes of {self.size}")
            try:
                async for chunk in self._download.chunks:
                    self._advance(len(chunk))
                    yield chunk
            except (BrokeOff, UpstreamUnreachable) as error:
                failure = error
            if self.position == self.size:
                return
            brought = self.position - reached
            tries = await self._again(0 if brought > min(_WORTH, self.size // _SHARE) else tries, failure)

    def _advance(self, count: int) -> None:
        self.position += count
        if self.position > self.size:
            raise UpstreamFailed(f"more than the {self.size} bytes the upstream announced")

    async def _again(self, tries: int, error: UpstreamFailed) -> int:
        while True:
            tries += 1
            if tries > _TRIES:
                raise error
            log.info("transfer_resumed", at=self.position, size=self.size, error=str(error))
            await asyncio.sleep(_FIRST_PAUSE * 2 ** (tries - 1) * random.uniform(0.5, 1.5))  # noqa: S311  # no secret
            try:
                await self._begin()
            except (BrokeOff, UpstreamUnreachable, TooManyRequests) as failure:
                error = failure if isinstance(failure, UpstreamFailed) else error
                continue
            return tries

    async def _begin(self) -> None:
        await self._stack.aclose()
        download = await self._stack.enter_async_context(self._open(self.position))
        if download.size is None or self.size not in (_UNKNOWN, download.size):
            raise UpstreamFailed(f"the upstream tells {download.size} bytes, not {self.size}")
        self.size = download.size
        self._download = download
