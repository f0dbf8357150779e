"""Checks made again and again, and what they amount to. Must not know what is checked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from entrepot.health.checks import Check, Failing
from entrepot.health.state import HealthState
from entrepot.telemetry import get_logger

log = get_logger(__name__)


_LONGEST_REASON = 300


@dataclass(frozen=True, slots=True)
class Watched:
    """A check by its name; it counts when it has failed `threshold` times in a row, or at once where that is 0."""

    name: str
    check: Check
    interval: float
    threshold: int


async def _failure(check: Check) -> str:
    """Why the check failed; empty where it passed."""
    try:
        await check()
    except Failing as failure:
        return str(failure)
    except Exception as error:
        # Whatever a library comes up with: what cannot be checked is not well.
        log.exception("health_check_broken")
        return f"{type(error).__name__}: {error}"[:_LONGEST_REASON]
    return ""


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
        self._failures = {}
        self._state.set({})
        async with asyncio.TaskGroup() as tasks:
            for watched in self._checks:
                tasks.create_task(self._repeat(watched))

    async def _repeat(self, watched: Watched) -> None:
        in_a_row = 0
        while True:
            await self._sleep(watched.interval)
            failure = await _failure(watched.check)
            in_a_row = in_a_row + 1 if failure else 0
            if not failure or in_a_row >= max(1, watched.threshold):
                self._note(watched.name, failure)

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
