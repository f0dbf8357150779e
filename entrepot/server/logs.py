"""What log lines look like: Distribution's three formats on standard error, with its field names."""

from __future__ import annotations

import logging
import os
import re
import select
import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from entrepot import __version__

_LEVELS = {"error": logging.ERROR, "warn": logging.WARNING, "info": logging.INFO, "debug": logging.DEBUG}
_STDERR = 2
_NO_KEY = re.compile(r"[^!#-<>-~]+")
"""What cannot stand in a key of a text line: blanks, quotes, `=`, and all that is not ASCII."""


def tell(lines: str) -> None:
    """Write to standard error with one system call. What cannot be written now is lost.

    A log on a full disk, or in a pipe that nobody reads, must neither fail nor hold up a request.
    """
    with suppress(OSError):
        if select.select((), (_STDERR,), (), 0)[1]:
            os.write(_STDERR, f"{lines}\n".encode("utf-8", "backslashreplace"))


class LineLog:
    """What a logger writes to."""

    msg = debug = info = warning = error = critical = staticmethod(tell)


def open_standard_streams() -> None:
    """Open /dev/null where the program was started without one of the three, so that no file gets its number."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


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
        logger_factory=lambda *_: LineLog(),
        cache_logger_on_first_use=True,
    )


def _renderer(formatter: str) -> list[Processor]:
    if formatter == "text":
        return [
            _rename("event", "msg"),
            _printable,
            structlog.processors.LogfmtRenderer(key_order=["time", "level", "msg"], bool_as_flag=False),
        ]
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


def _printable(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    # Text that came from a client can neither end the line nor command a terminal (CVE-2020-7694).
    return {_NO_KEY.sub("_", key): _escaped(value) for key, value in event.items()}


def _escaped(value: object) -> object:
    if isinstance(value, int | float | None):
        return value
    text = str(value)
    if text.isprintable():
        return text
    return "".join(one if one == "\n" or one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def _mark_logstash(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    event["@version"] = "1"
    return event
