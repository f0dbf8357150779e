"""Delivery: takes events out of the outbox to their endpoints, each in order, again and again until it is taken.

One task for each endpoint, so that one that is down holds up no other. Must not know how a body is sent.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol

from entrepot.notifications.events import Event
from entrepot.notifications.outbox import Outbox, Waiting
from entrepot.telemetry import Meter, get_logger

log = get_logger(__name__)

_LOOK = 0.25
"""Seconds between looks for something new."""

_NOTING = 0.25
"""Seconds between notes of how far an endpoint has come: each is synced, which takes longer than most answers."""

_BATCH = 100
_TROUBLE = 5.0  # seconds until the outbox is tried again where it cannot be read


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One listener: after `threshold` failures in a row it is tried every `backoff` seconds only.

    `key` is its own in the outbox, where `name`, in logs and figures, may be another's as well.
    """

    key: str
    name: str
    url: str = field(repr=False)
    headers: Sequence[tuple[str, str]] = field(default=(), repr=False)
    timeout: float = 1.0
    threshold: int = 10
    backoff: float = 1.0
    ignored_types: frozenset[str] = frozenset()
    ignored_actions: frozenset[str] = frozenset()

    def ignores(self, event: Event) -> bool:
        return event.media_type in self.ignored_types or event.action in self.ignored_actions


class Unreachable(Exception):
    """No answer, for the reason that the message gives."""


class Post(Protocol):
    """Sends a body to an endpoint."""

    async def __call__(self, endpoint: Endpoint, body: str) -> int:
        """The status of its answer. Raises Unreachable."""


class Delivery:
    """A duty of the keeper: tells all endpoints."""

    def __init__(self, outbox: Outbox, endpoints: Sequence[Endpoint], post: Post, meter: Meter) -> None:
        self._outbox = outbox
        self._endpoints = endpoints
        self._post = post
        self._meter = meter

    async def run(self) -> None:
        await asyncio.to_thread(self._outbox.register, [one.key for one in self._endpoints])
        async with asyncio.TaskGroup() as tasks:
            for endpoint in self._endpoints:
                tasks.create_task(self._serve(endpoint))

    async def _serve(self, endpoint: Endpoint) -> None:
        failures = _Failures(endpoint)
        while True:
            try:
                waiting = await asyncio.to_thread(self._outbox.after, endpoint.key, _BATCH)
                if len(waiting) < _BATCH:
                    self._meter.pending(endpoint.name, len(waiting))
                else:
                    self._meter.pending(endpoint.name, await asyncio.to_thread(self._outbox.pending, endpoint.key))
                await self._tell(endpoint, waiting, failures)
            except (sqlite3.Error, OSError) as error:
                log.error("outbox_failed", endpoint=endpoint.name, error=str(error))
                await asyncio.sleep(_TROUBLE)
            else:
                if not waiting:
                    await asyncio.sleep(_LOOK)

    async def _tell(self, endpoint: Endpoint, waiting: Sequence[Waiting], failures: _Failures) -> None:
        told = noted = 0
        due = monotonic() + _NOTING
        try:
            for one in waiting:
                await self._deliver(endpoint, one, failures)
                told = one.position
                if monotonic() >= due:
                    await self._note(endpoint, told)
                    noted, due = told, monotonic() + _NOTING
        except asyncio.CancelledError:
            # The keeper is asked to end: only a crash, or an outbox that fails, makes an event be sent twice.
            if told > noted:
                with suppress(sqlite3.Error, OSError):
                    await self._note(endpoint, told)
            raise
        if told > noted:
            await self._note(endpoint, told)

    async def _note(self, endpoint: Endpoint, position: int) -> None:
        # A thread has it at once: whoever is cancelled meanwhile, it is written.
        work = asyncio.get_running_loop().run_in_executor(None, self._outbox.told, endpoint.key, position)
        await asyncio.shield(work)

    async def _deliver(self, endpoint: Endpoint, waiting: Waiting, failures: _Failures) -> None:
        if endpoint.ignores(waiting.event):
            return
        self._meter.notified(endpoint.name, "Events")
        while not await self._attempt(endpoint, waiting.event, failures):
            await failures.pause()
        failures.forget()

    async def _attempt(self, endpoint: Endpoint, event: Event, failures: _Failures) -> bool:
        try:
            status = await self._post(endpoint, event.body)
        except Unreachable as error:
            self._meter.notified(endpoint.name, "Errors")
            failures.note(str(error))
            return False
        self._meter.notification_answered(endpoint.name, status)
        is_taken = 200 <= status < 400
        self._meter.notified(endpoint.name, "Successes" if is_taken else "Failures")
        if not is_taken:
            failures.note(f"it answered {status}")
        return is_taken


class _Failures:
    """Those in a row; the first one, and the end of it, is told."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._count = 0

    def note(self, reason: str) -> None:
        self._count += 1
        if self._count == 1:
            log.warning("endpoint_failed", endpoint=self._endpoint.name, reason=reason)

    def forget(self) -> None:
        if self._count:
            log.info("endpoint_recovered", endpoint=self._endpoint.name, failures=self._count)
        self._count = 0

    async def pause(self) -> None:
        # Distribution tries at once until then.
        await asyncio.sleep(self._endpoint.backoff if self._count >= self._endpoint.threshold else 0)
