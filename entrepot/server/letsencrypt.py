"""The section `http.tls.letsencrypt`: a certificate that is fetched before the start, and renewed by the keeper.

What is fetched lies in files, which the server watches as it does any certificate's.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

from entrepot.config.address import parse_tcp
from entrepot.config.root import Configuration
from entrepot.config.tls import LetsEncrypt
from entrepot.server.listener import StartFailed
from entrepot.server.plan import Plan
from entrepot.telemetry import get_logger

if TYPE_CHECKING:
    from entrepot.certificates.shelf import Shelf

log = get_logger(__name__)

_PATIENCE, _STEP = 120.0, 0.2
"""Seconds for a certificate in all, whatever a service that hangs does; and between looks whether anybody waits."""

_LONGEST_SLEEP = 12 * 3600.0
_FIRST_PAUSE, _LONGEST_PAUSE = 60.0, 6 * 3600.0
"""Seconds before it is tried again, doubled each time: a service counts failures, and locks out who has too many."""


def certified(configuration: Configuration) -> Configuration:
    """With the files of the certificate that is fetched; unchanged where none is."""
    http = configuration.http
    if not http.tls.letsencrypt.cachefile:
        return configuration
    shelf = _shelf(http.tls.letsencrypt.cachefile)
    tls = http.tls.model_copy(update={"certificate": shelf.certificate, "key": shelf.key})
    return configuration.model_copy(update={"http": http.model_copy(update={"tls": tls})})


def _shelf(directory: str) -> Shelf:
    # Its library takes megabytes of each process: only for those who ask for it.
    made: Shelf = import_module("entrepot.certificates.shelf").Shelf(directory)
    return made


def ensure_certificate(settings: LetsEncrypt, goes_on: Callable[[], bool] = lambda: True) -> None:
    """Fetch a certificate unless there is one; in a process of its own, which ends then. Raises StartFailed.

    Also where it takes too long, or `goes_on` says no meanwhile.
    """
    if not settings.cachefile:
        return
    try:
        is_there = _shelf(settings.cachefile).renew_at(frozenset(settings.hosts)) is not None
    except OSError as error:
        raise StartFailed(f"http.tls.letsencrypt.cachefile: {settings.cachefile}: {error.strerror}") from None
    if is_there:
        return
    log.info("certificate_asked_for", hosts=",".join(settings.hosts), directory=settings.directory)
    failure = _fetched(settings, goes_on)
    if failure:
        raise StartFailed(f"http.tls.letsencrypt: no certificate was to be had: {failure}")


def _fetched(settings: LetsEncrypt, goes_on: Callable[[], bool] = lambda: True) -> str:
    """The reason why not; empty where it has come. The library, and what it takes, is in no other process."""
    context: Any = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_fetch, args=(settings, sending))
    process.start()
    sending.close()
    deadline = time.monotonic() + _PATIENCE
    try:
        while not receiving.poll(_STEP):
            if not goes_on():
                return "the server ends"
            if time.monotonic() > deadline:
                return f"not in {_PATIENCE:g} s"
        return str(receiving.recv())
    except EOFError:
        return "the process that asks for it ended"
    finally:
        process.kill()
        process.join()
        receiving.close()


def _fetch(settings: LetsEncrypt, sending: Any) -> None:
    client = import_module("entrepot.certificates.acme_client")
    address = parse_tcp(settings.challengeaddr)
    order = client.Order(
        hosts=settings.hosts,
        directory=settings.directory,
        email=settings.email,
        authorities=settings.directoryca,
        host=address.host,
        port=address.port,
    )
    try:
        client.obtain(order, _shelf(settings.cachefile))
        sending.send("")
    except client.NotObtained as error:
        sending.send(str(error))


class Certification:
    """A duty of the keeper: fetches the certificate anew before it ends."""

    def __init__(self, settings: LetsEncrypt) -> None:
        self._settings = settings

    async def run(self) -> None:
        shelf, hosts = _shelf(self._settings.cachefile), frozenset(self._settings.hosts)
        pause = _FIRST_PAUSE
        while True:
            due = shelf.renew_at(hosts)
            left = 0.0 if due is None else (due - datetime.now(UTC)).total_seconds()
            if left > 0:
                await asyncio.sleep(min(left, _LONGEST_SLEEP))
                continue
            failure = await asyncio.to_thread(_fetched, self._settings)
            if not failure:
                log.info("certificate_renewed", hosts=",".join(self._settings.hosts))
                pause = _FIRST_PAUSE
                continue
            log.error("certificate_not_renewed", error=failure, again_in=pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)


def build_certification(plan: Plan) -> Certification:
    return Certification(plan.configuration.http.tls.letsencrypt)
