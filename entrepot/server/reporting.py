"""Unexpected errors, told to services that gather them: what the section `reporting` asks for.

Each by the service's own library, which is an extra, and is imported only where it is configured. What is told is the
exception with its traceback and the fields of the log line, which never hold credentials; no values of variables.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from structlog.typing import EventDict, WrappedLogger

from entrepot import __version__
from entrepot.config.reporting import Bugsnag, Reporting, Sentry
from entrepot.server.listener import StartFailed
from entrepot.server.new_relic import NewRelicReport

Report = Callable[[BaseException, Mapping[str, Any]], None]

_FIELDS = (
    *("event", "level", "repository", "digest", "duty"),
    *("http.request.id", "http.request.method", "http.request.uri"),
)
"""Of a log line; what else it has is for the log."""


def check_reporting(reporting: Reporting) -> None:
    """Raises StartFailed where a library is missing."""
    for service, module, is_wanted in (
        ("bugsnag", "bugsnag", bool(reporting.bugsnag.apikey.get_secret_value())),
        ("newrelic", "newrelic", bool(reporting.newrelic.licensekey.get_secret_value())),
        ("sentry", "sentry_sdk", bool(reporting.sentry.dsn.get_secret_value())),
    ):
        if is_wanted:
            try:
                import_module(module)
            except ImportError:
                raise StartFailed(
                    f"reporting.{service}: its library is missing; install it: pip install 'entrepot[{service}]'"
                ) from None


def reporters(reporting: Reporting) -> list[Reporter]:
    """One for each service that is configured."""
    made = []
    if reporting.bugsnag.apikey.get_secret_value():
        made.append(Reporter(lambda: bugsnag_report(reporting.bugsnag)))
    if reporting.newrelic.licensekey.get_secret_value():
        made.append(Reporter(lambda: NewRelicReport(reporting.newrelic)))
    if reporting.sentry.dsn.get_secret_value():
        made.append(Reporter(lambda: sentry_report(reporting.sentry)))
    return made


class Reporter:
    """A structlog processor that passes lines on as they are, and reports the exceptions in them.

    `connect` begins the service's library, once in each process that has something to report.
    """

    def __init__(self, connect: Callable[[], Report]) -> None:
        self._connect = connect
        self._report: Report | None = None
        self._process = 0

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        error = _exception(event.get("exc_info"))
        if error is not None:
            if self._report is None or self._process != os.getpid():
                self._report, self._process = self._connect(), os.getpid()
            self._report(error, {key: str(event[key])[:500] for key in _FIELDS if key in event})
        return event


def _exception(given: object) -> BaseException | None:
    if given is True:
        return sys.exc_info()[1]
    if isinstance(given, tuple):
        return given[1] if len(given) == 3 and isinstance(given[1], BaseException) else None
    return given if isinstance(given, BaseException) else None


def bugsnag_report(settings: Bugsnag) -> Report:
    """By the library `bugsnag`."""
    bugsnag: Any = import_module("bugsnag")
    options = {"release_stage": settings.releasestage} if settings.releasestage else {}
    if settings.endpoint:
        options["endpoint"] = settings.endpoint
    bugsnag.configure(
        api_key=settings.apikey.get_secret_value(),
        app_version=__version__,
        auto_notify=False,
        auto_capture_sessions=False,
        send_code=False,
        **options,
    )
    return lambda error, fields: bugsnag.notify(error, severity="error", metadata={"entrepot": dict(fields)})


def sentry_report(settings: Sentry) -> Report:
    """By the library `sentry-sdk`."""
    sentry: Any = import_module("sentry_sdk")
    sentry.init(
        dsn=settings.dsn.get_secret_value(),
        environment=settings.environment or None,
        sample_rate=float(settings.samplerate),
        release=f"entrepot@{__version__}",
        default_integrations=False,
        auto_enabling_integrations=False,
        send_default_pii=False,
        include_local_variables=False,
    )

    def report(error: BaseException, fields: Mapping[str, Any]) -> None:
        with sentry.new_scope() as scope:
            scope.set_context("entrepot", dict(fields))
            scope.capture_exception(error)

    return report
