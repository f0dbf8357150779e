"""Credentials that a program gives, kept for as long as they are said to be good."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

from entrepot.upstream.addresses import Address
from entrepot.upstream.base import Credentials
from entrepot.upstream.credential_helper import PATIENCE, ask_helper

AFTER_FAILURE = 10.0
"""Seconds until a helper that gave nothing, or what the upstream did not take, is asked again."""


class HelperCredentials:
    """The credentials for the host of one upstream, from a credential helper; anonymous as long as it gives none."""

    def __init__(
        self,
        remoteurl: str,
        command: str,
        lifetime: float | None = None,
        *,
        server: str = "",
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`lifetime` in seconds: None asks once and keeps what comes, 0 asks each time, as Distribution's `exec` does.
        `server` is what the helper is asked for instead of the upstream's host.

        Raises ValueError where `remoteurl` is no address of an upstream.
        """
        self._host = Address.parse(remoteurl).host
        self._server = server or self._host
        self._command = command
        self._lifetime = math.inf if lifetime is None else lifetime
        self._patience = patience
        self._clock = clock
        self._kept: Credentials | None = None
        self._asked_at = -math.inf
        self._good_until = -math.inf
        self._turn = asyncio.Lock()

    async def credentials(self, host: str) -> Credentials | None:
        """What the helper says, now or a while ago, where `host` is the upstream's own."""
        if host != self._host:
            return None
        if self._lifetime <= 0:
            return await self._ask()
        async with self._turn:  # those who wait take what the first one gets
            if self._clock() >= self._good_until:
                self._kept = await self._ask()
                self._asked_at = self._clock()
                lifetime = min(AFTER_FAILURE, self._lifetime) if self._kept is None else self._lifetime
                self._good_until = self._asked_at + lifetime
            return self._kept

    def refused(self, credentials: Credentials) -> None:
        """Ask the helper again, unless it was asked just now."""
        if credentials == self._kept:
            self._good_until = min(self._good_until, self._asked_at + AFTER_FAILURE)

    async def _ask(self) -> Credentials | None:
        return await ask_helper(self._command, self._server, self._patience)
