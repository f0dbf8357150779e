"""Checks made again and again, and what they amount to. Must not know what is checked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from entrepot.health.checks import Check, Failing
from entrepot.health.state import HealthState
from entrepot.telemetry import get_logger

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Watched:
    """A check by its name; it counts when it has failed `threshold` times in a row, or at once where that is 0."""

    name: str
    check: Check
    interval: float
    threshold: int


class Checkup:
    """A duty: makes each check every `interval` seconds, for the first time after one, and keeps `state`."""

    def __init__(
        self,
        checks: Sequence[Watched],
        state: HealthState,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._checks = checks
        self._state = state
        self._sleep = sleep
        self._failures: dict[str, str] = {}

    async def run(self) -> None:
        """Until cancelled."""
        # What another process has found, that has ended since, is found again or not.
        self._state.set({})
        await asyncio.gather(*map(self._repeat, self._checks))

    async def _repeat(self, watched: Watched) -> None:
        in_a_row = 0
        while True:
            await self._sleep(watched.interval)
            try:
                await watched.check()
            except Failing as failure:
                in_a_row += 1
                if in_a_row >= max(1, watched.threshold):
                    self._note(watched.name, str(failure))
            else:
                in_a_row = 0
                self._note(watched.name, "")

    def _note(self, name: str, failure: str) -> None:
        if failure == self._failures.get(name, ""):
            return
        if failure:
            log.error("health_check_failing", check=name, error=failure)
            self._failures[name] = failure
        else:
            log.info("health_check_passing", check=name)
            del self._failures[name]
        self._state.set(self._failures)
