"""Leaf: how every other module gets a logger. What lines look like is decided by server/logs.py."""

from __future__ import annotations

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
