"""A follower: what of a growing blob one client wants, as it arrives. Must not know who feeds the fill."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

from entrepot.mirror.bypass import Kept, bypass
from entrepot.mirror.fill import Fill
from entrepot.mirror.spool import UNKEPT
from entrepot.oci.digest import Digest
from entrepot.wire.ranges import Span


class Follower(AsyncIterator[Span | memoryview]):
    """What of a span can be read, as it arrives; ends early where the fill fails. `aclose` must be called.

    Where the store can take no more, the rest comes straight from the upstream, as bytes.
    """

    def __init__(self, fill: Fill, digest: Digest, span: Span, size: int) -> None:
        self._fill: Fill | None = fill
        self._digest = digest
        self._offset = span.start
        self._stop = span.stop
        self._size = size
        self._direct: AsyncGenerator[memoryview, None] | None = None

    async def __anext__(self) -> Span | memoryview:
        if self._fill is None or self._offset >= self._stop:
            raise StopAsyncIteration
        if self._direct is not None:
            return await self._next_direct(self._direct)
        end = min(await self._fill.readable(self._offset), self._stop)
        if end > self._offset:
            arrived = Span(self._offset, end)
            self._offset = end
            return arrived
        if self._fill.progress.state != UNKEPT:
            raise StopAsyncIteration
        kept = Kept(self._fill.spool.descriptor, self._fill.progress.written)
        wanted = Span(self._offset, self._stop)
        self._direct = bypass(self._fill.open_upstream, self._digest, self._size, wanted, kept)
        return await self._next_direct(self._direct)

    async def _next_direct(self, direct: AsyncGenerator[memoryview, None]) -> memoryview:
        piece = await anext(direct)
        self._offset += len(piece)
        return piece

    async def aclose(self) -> None:
        """Leave the fill; safe twice."""
        if self._direct is not None:
            await self._direct.aclose()
        fill, self._fill = self._fill, None
        if fill is not None:
            fill.leave()
