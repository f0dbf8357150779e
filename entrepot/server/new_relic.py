"""Unexpected errors, told to New Relic by its agent, of which nothing else is used.

It would put itself around other libraries, and ask clouds who we are: neither is done. The agent is an extra, and is
imported only where it is configured.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from entrepot.config.reporting import NewRelic
from entrepot.telemetry import get_logger

log = get_logger(__name__)

_CONNECT_LIMIT = 30.0
"""Seconds; the agent goes on trying by itself."""

_MOST_WAITING = 100


class NewRelicReport:
    """Tells of errors, on a thread: the agent takes nothing before it is connected, and that waits for its service."""

    def __init__(self, settings: NewRelic) -> None:
        self._settings = settings
        self._waiting: queue.Queue[tuple[BaseException, Mapping[str, Any]]] = queue.Queue(_MOST_WAITING)
        threading.Thread(target=self._run, name="newrelic", daemon=True).start()

    def __call__(self, error: BaseException, fields: Mapping[str, Any]) -> None:
        if not self._waiting.full():
            self._waiting.put_nowait((error, fields))

    def _run(self) -> None:
        application = connect(self._settings)
        while True:
            error, fields = self._waiting.get()
            application.notice_error(error=(type(error), error, error.__traceback__), attributes=dict(fields))


def connect(settings: NewRelic) -> Any:
    """The agent's application. Waits for the service, but not for ever."""
    agent: Any = import_module("newrelic.agent")
    key = settings.licensekey.get_secret_value()
    if settings.verbose:
        logger = logging.getLogger("newrelic")
        logger.setLevel(logging.INFO)
        logger.addHandler(_Said(key))
    options = agent.global_settings()
    options.license_key = key
    options.app_name = settings.name or "entrepot"
    options.enabled = True
    for name in [one for one in vars(options.utilization) if one.startswith("detect_")]:
        setattr(options.utilization, name, False)
    return agent.register_application(options.app_name, _CONNECT_LIMIT)


class _Said(logging.Handler):
    """What the agent says of itself, as lines of our log."""

    def __init__(self, key: str) -> None:
        super().__init__()
        self._key = key

    def emit(self, record: logging.LogRecord) -> None:
        log.info("newrelic", said=record.getMessage().replace(self._key, "***"))
