"""What log lines look like: Distribution's three formats on standard error, with its field names."""

from __future__ import annotations

import logging
import os
import re
import select
import uuid
from contextlib import suppress

import structlog
from structlog.processors import CallsiteParameter, CallsiteParameterAdder
from structlog.typing import EventDict, Processor, WrappedLogger

from entrepot import __version__
from entrepot.config.log import Log
from entrepot.config.root import Configuration
from entrepot.server.log_mail import MailHook, Mailing
from entrepot.server.reporting import reporters
from entrepot.telemetry import request_facts

_LEVELS = {"error": logging.ERROR, "warn": logging.WARNING, "info": logging.INFO, "debug": logging.DEBUG}
_CALLER = (
    CallsiteParameter.MODULE,
    CallsiteParameter.FUNC_NAME,
    CallsiteParameter.FILENAME,
    CallsiteParameter.LINENO,
)
_LEVEL_NAMES = {"warn": "warning", "fatal": "critical", "panic": "critical"}
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


def configure_logs(configuration: Configuration) -> None:
    """Set up every logger of the process, by the section `log`."""
    settings = configuration.log
    fixed = {"instance.id": str(uuid.uuid4()), "version": __version__, **settings.fields}

    def add_fixed(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        return {**fixed, **event}

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            _add_request,
            *reporters(configuration.reporting),
            structlog.processors.format_exc_info,
            *(_callers() if settings.reportcaller else ()),
            add_fixed,
            *(Mailing(hook) for hook in mail_hooks(settings)),
            *_renderer(settings.formatter),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[configuration.level]),
        logger_factory=lambda *_: LineLog(),
        cache_logger_on_first_use=True,
    )


def mail_hooks(settings: Log) -> list[MailHook]:
    """Those that are not disabled."""
    return [
        MailHook(
            levels=frozenset(_LEVEL_NAMES.get(level, level) for level in hook.levels),
            host=hook.options.smtp.addr.rpartition(":")[0].strip("[]"),
            port=int(hook.options.smtp.addr.rpartition(":")[2]),
            sender=hook.options.from_,
            receivers=hook.options.to,
            username=hook.options.smtp.username,
            password=hook.options.smtp.password.get_secret_value(),
            insecure=hook.options.smtp.insecure,
        )
        for hook in settings.hooks
        if not hook.disabled
    ]


def _add_request(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    facts = request_facts.get()
    if facts is None:
        return event
    told = {
        "http.request.id": facts.id,
        "http.request.method": facts.method,
        "http.request.host": facts.host,
        "http.request.uri": facts.path,
        "http.request.remoteaddr": facts.client,
        "http.request.useragent": facts.agent,
        "auth.user.name": facts.user,
    }
    return {**event, **{key: value for key, value in told.items() if value}}


def _callers() -> list[Processor]:
    return [CallsiteParameterAdder(_CALLER), _name_caller]


def _name_caller(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    # logrus's names for what structlog adds one by one.
    event["func"] = f"{event.pop('module')}.{event.pop('func_name')}"
    event["file"] = f"{event.pop('filename')}:{event.pop('lineno')}"
    return event


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
