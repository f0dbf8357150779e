"""How a running server is renewed: by its configuration, read again at SIGHUP, or because a certificate was replaced.

Workers and the keeper are made by the newest plan; what cannot be used changes nothing, and is told.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from entrepot.config.drivers import Filesystem
from entrepot.config.problems import ConfigurationError
from entrepot.config.root import Configuration
from entrepot.config.storage import DRIVERS
from entrepot.health.state import HealthState
from entrepot.server.health import checked
from entrepot.server.letsencrypt import certified, ensure_certificate
from entrepot.server.listener import StartFailed
from entrepot.server.logs import configure_logs
from entrepot.server.plan import Plan
from entrepot.server.start_checks import check
from entrepot.server.tls import TlsFiles, identity_of
from entrepot.telemetry import get_logger

log = get_logger(__name__)

Read = Callable[[], Configuration]

_LOOK = 1.0
"""Seconds between looks at the files of a certificate."""


class Renewal:
    """The newest plan and the files of its certificate. `read` gives the configuration as it is now.

    Raises StartFailed where the first one is no good.
    """

    def __init__(self, plan: Plan, read: Read | None) -> None:
        self.plan = plan
        self.files = TlsFiles(plan.configuration.http.tls)
        self._read = read

    def renew(self, *, is_asked: bool, goes_on: Callable[[], bool]) -> bool:
        """Take on what is new; False, said why, where all goes on as before.

        Where nobody `is_asked` for it, it is for a certificate alone. What takes long ends when `goes_on` says no.
        """
        old = self.plan
        try:
            configuration = self._newest(is_asked=is_asked, goes_on=goes_on)
            files = TlsFiles(configuration.http.tls)
        except ConfigurationError as error:
            for problem in error.problems:
                log.error("not_reloaded", problem=str(problem))
            return False
        except StartFailed as error:
            log.error("not_reloaded", problem=str(error))
            return False
        self.files.close()
        self.files = files
        health = (old.health or HealthState()) if checked(configuration) else None
        self.plan = replace(old, configuration=configuration, health=health)
        configure_logs(configuration)
        log.info("reloaded")
        return True

    def _newest(self, *, is_asked: bool, goes_on: Callable[[], bool]) -> Configuration:
        old = self.plan.configuration
        if not isinstance(old.storage.driver, Filesystem):
            raise StartFailed("storage.inmemory: what the workers hold would be lost; restart the server instead")
        if self._read is None or not is_asked:
            return old
        configuration = kept(old, self._read())
        check(configuration)
        ensure_certificate(configuration.http.tls.letsencrypt, goes_on)
        return certified(configuration)

    def watch(self, changed: Callable[[], None]) -> None:
        """Call `changed`, from a thread, whenever files of the certificate have been replaced and stand still."""
        threading.Thread(target=self._watch, args=(changed,), name="certificates", daemon=True).start()

    def _watch(self, changed: Callable[[], None]) -> None:
        told = before = self.files.identity
        while not _never.wait(_LOOK):
            now = identity_of(self.files.tls)
            if now == before and now not in (told, self.files.identity):
                told = now
                changed()
            before = now


_never = threading.Event()


def kept(old: Configuration, new: Configuration) -> Configuration:
    """`new`, with what only a start can change as it was; each that differs is told."""
    for path, before, after in (
        ("http.addr", old.http.addr, new.http.addr),
        ("http.net", old.http.net, new.http.net),
        ("http.debug", old.http.debug, new.http.debug),
        ("storage", old.storage.driver, new.storage.driver),
    ):
        if before != after:
            log.warning("needs_restart", setting=path)
    http = new.http.model_copy(update={key: getattr(old.http, key) for key in ("addr", "net", "debug", "secret")})
    storage = new.storage.model_copy(update={key: getattr(old.storage, key) for key in DRIVERS})
    return new.model_copy(update={"http": http, "storage": storage})
