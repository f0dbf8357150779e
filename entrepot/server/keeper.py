"""The keeper: the one process of a node that does what must be done once, beside the workers. Knows no duty by name."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from typing import Protocol

from entrepot.telemetry import get_logger

log = get_logger(__name__)

_PAUSE = 30.0
"""Seconds before a duty that failed is begun again."""

_LAST_STEPS = 1.0
"""Seconds that duties have for their last step when the keeper is told to end."""


class Duty(Protocol):
    """Something to be done again and again, or for as long as the keeper lives."""

    async def run(self) -> None:
        """Do it until cancelled; returns only where nothing is left to do for ever. May be called again if it raises.

        It shares its thread with other duties: what takes long waits, or runs in a thread. It may be killed at any
        moment.
        """


def keep(assemble: Callable[[], Sequence[Duty]], pause: float = _PAUSE) -> None:
    """Do all duties until SIGTERM or SIGINT. Leaves threads behind that still work: end the process."""
    asyncio.new_event_loop().run_until_complete(_keep(assemble, pause))


async def _keep(assemble: Callable[[], Sequence[Duty]], pause: float) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    tasks = [asyncio.create_task(_attend(duty, pause)) for duty in assemble()]
    await stopping.wait()
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=_LAST_STEPS)


async def _attend(duty: Duty, pause: float) -> None:
    while True:
        try:
            return await duty.run()
        except Exception:
            log.exception("duty_failed", duty=type(duty).__name__)
        await asyncio.sleep(pause)
