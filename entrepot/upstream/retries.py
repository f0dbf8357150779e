"""Asks again what may be asked again: nobody connected, or the upstream says that it can not right now.

Not after anything of an answer was read, not after 429, and not while the upstream is suspended.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from entrepot.oci.names import RepositoryName
from entrepot.upstream.base import NotConnected
from entrepot.upstream.exchange import Exchange
from entrepot.upstream.message import Head, Request
from entrepot.upstream.reply import Reply
from entrepot.upstream.transport import Sender
from entrepot.upstream.watch import Watch

_PASSING = frozenset({500, 502, 503, 504})


class Retries:
    """An Exchange whose questions are put again after each of `pauses` seconds, less up to half of it by `chance`."""

    def __init__(
        self, exchange: Exchange, watch: Watch, pauses: Sequence[float], chance: Callable[[], float] = random.random
    ) -> None:
        self._exchange = exchange
        self._watch = watch
        self._pauses = pauses
        self._chance = chance

    @asynccontextmanager
    async def ask(self, sender: Sender, request: Request, name: RepositoryName) -> AsyncIterator[Reply]:
        """As the Exchange's; the last answer where none is better. How long all may take is for the caller to say."""
        for pause in (*self._pauses, None):
            async with AsyncExitStack() as answer:
                try:
                    reply = await answer.enter_async_context(self._exchange.ask(sender, request, name))
                except NotConnected:
                    if pause is None or self._watch.is_suspended:
                        raise
                else:
                    if pause is None or not self._is_passing(reply.head):
                        yield reply
                        return
            await asyncio.sleep(pause * (1 - self._chance() / 2))

    def _is_passing(self, head: Head) -> bool:
        # An upstream that names a time knows better than we when to ask again.
        return head.status in _PASSING and head.header("Retry-After") is None and not self._watch.is_suspended
