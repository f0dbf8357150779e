"""Leaf: how every other module gets a logger. What lines look like is decided by server/logs.py."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol, cast

import structlog


class Logger(Protocol):
    """A fixed phrase and fields: `log.info("blob_filled", digest=…)`. Never a credential, never a URL with a query."""

    def debug(self, event: str, /, **fields: object) -> None: ...
    def info(self, event: str, /, **fields: object) -> None: ...
    def warning(self, event: str, /, **fields: object) -> None: ...
    def error(self, event: str, /, **fields: object) -> None: ...
    def exception(self, event: str, /, **fields: object) -> None: ...


def get_logger(name: str) -> Logger:
    """A logger whose lines carry `logger=name`; configured lazily, so it may be made at import."""
    return cast("Logger", structlog.get_logger(name))


@dataclass(slots=True)
class RequestFacts:
    """What log lines say of the request that they are written for. `user` is empty until it is known who asks.

    `path` is without the query, which may hold what opens an upload or a signed URL.
    """

    id: str
    method: str
    host: str
    path: str
    client: str
    agent: str
    user: str = ""


request_facts: ContextVar[RequestFacts | None] = ContextVar("request_facts", default=None)
"""Of the request that this task, or the one that started it, is for."""


class Meter(Protocol):
    """What is counted, summed over all workers of a node. No method waits; each may be called in any thread."""

    def served(self, kind: str, outcome: str, size: int) -> None:
        """A `manifest` or `blob` was answered: `hit`, `miss`, `stale` or `joined`, with `size` bytes of content."""

    def fetched(self, upstream: str, size: int) -> None:
        """So many bytes of content came from the upstream."""

    def filled(self, upstream: str, seconds: float, *, succeeded: bool) -> None:
        """A fill ended."""

    def evicted(self, upstream: str, reason: str, entries: int, size: int) -> None:
        """So many entries left the cache, by `ttl`, `maxsize` or `minfree`, and freed `size` bytes."""

    def answered(self, upstream: str, status: int) -> None:
        """The upstream answered; 0 where it could not be reached."""

    def remaining(self, upstream: str, pulls: int) -> None:
        """What the upstream's rate limit leaves."""

    def suspended(self, upstream: str, *, is_open: bool) -> None:
        """The circuit breaker of the upstream opened or closed."""

    def notified(self, endpoint: str, kind: str) -> None:
        """An event came up for an endpoint (`Events`), or was tried: `Successes`, `Failures`, `Errors` (no answer)."""

    def notification_answered(self, endpoint: str, status: int) -> None:
        """The endpoint answered."""

    def pending(self, endpoint: str, events: int) -> None:
        """So many events wait for the endpoint."""

    def lost(self, reason: str, events: int) -> None:
        """So many events no endpoint hears of: they were `dropped` since too many wait, or `unwritten`."""

    def begun(self, handler: str) -> None:
        """A request is being answered, by the handler of that name."""

    def ended(self, handler: str) -> None:
        """It is answered, or its client has left."""

    def requested(self, handler: str, method: str, status: int, seconds: float, *, received: int, sent: int) -> None:
        """It took so long, announced so many bytes, and was answered with so many."""

    def acted(self, driver: str, action: str, seconds: float) -> None:
        """The storage driver did what it was asked for."""


class SilentMeter:
    """A `Meter` that counts nothing."""

    def served(self, kind: str, outcome: str, size: int) -> None: ...
    def fetched(self, upstream: str, size: int) -> None: ...
    def filled(self, upstream: str, seconds: float, *, succeeded: bool) -> None: ...
    def evicted(self, upstream: str, reason: str, entries: int, size: int) -> None: ...
    def answered(self, upstream: str, status: int) -> None: ...
    def remaining(self, upstream: str, pulls: int) -> None: ...
    def suspended(self, upstream: str, *, is_open: bool) -> None: ...
    def notified(self, endpoint: str, kind: str) -> None: ...
    def notification_answered(self, endpoint: str, status: int) -> None: ...
    def pending(self, endpoint: str, events: int) -> None: ...
    def lost(self, reason: str, events: int) -> None: ...
    def begun(self, handler: str) -> None: ...
    def ended(self, handler: str) -> None: ...
    def requested(
        self, handler: str, method: str, status: int, seconds: float, *, received: int, sent: int
    ) -> None: ...
    def acted(self, driver: str, action: str, seconds: float) -> None: ...
