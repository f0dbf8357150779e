"""What log lines look like: Distribution's three formats on standard error, with its field names."""

from __future__ import annotations

import logging
import sys
import uuid
from collections.abc import Mapping
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from entrepot import __version__

_LEVELS = {"error": logging.ERROR, "warn": logging.WARNING, "info": logging.INFO, "debug": logging.DEBUG}


def configure_logs(level: str, formatter: str, fields: Mapping[str, Any]) -> None:
    """Set up every logger of the process; `formatter` is text, json or logstash."""
    fixed = {"instance.id": str(uuid.uuid4()), "version": __version__, **fields}

    def add_fixed(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        return {**fixed, **event}

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.format_exc_info,
            add_fixed,
            *_renderer(formatter),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )


def _renderer(formatter: str) -> list[Processor]:
    if formatter == "text":
        return [_rename("event", "msg"), structlog.processors.LogfmtRenderer(key_order=["time", "level", "msg"])]
    if formatter == "json":
        return [_rename("event", "msg"), structlog.processors.JSONRenderer()]
    return [
        _rename("event", "message"),
        _rename("time", "@timestamp"),
        _mark_logstash,
        structlog.processors.JSONRenderer(),
    ]


def _rename(old: str, new: str) -> Processor:
    def rename(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        event[new] = event.pop(old)
        return event

    return rename


def _mark_logstash(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    event["@version"] = "1"
    return event
