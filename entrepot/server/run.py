"""The supervisor: checks what can be checked, then runs the workers until it is told to stop."""

from __future__ import annotations

import gc
import math
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops, RuntimeModes, SSLProtocols
from granian.http import HTTP1Settings

from entrepot.config.drivers import Filesystem
from entrepot.config.http import Http
from entrepot.config.root import Configuration
from entrepot.drivers.filesystem import FilesystemDriver
from entrepot.server.assemble import assemble
from entrepot.server.listener import Address, StartFailed, prepare
from entrepot.server.logs import configure_logs
from entrepot.server.plan import Plan
from entrepot.telemetry import get_logger

log = get_logger(__name__)

Loader = Callable[..., Callable[..., Any]]

_BACKLOG = 4096
_CONCURRENT = 8192
"""Requests a worker has under way before it lets new connections wait."""

_HEADER_TIMEOUT = 30_000  # milliseconds
_DRAIN = 30.0
"""Seconds that requests under way get at the end, where `http.draintimeout` does not say."""


def serve(configuration: Configuration, workers: int, started: Callable[[Address], None]) -> None:
    """Serve until SIGTERM or SIGINT, then drain. Raises StartFailed. Calls `started` once the port is ours."""
    configure_logs(configuration.level, configuration.log.formatter, configuration.log.fields)
    check_storage(configuration)
    address = prepare(configuration.http.listener)
    plan = Plan(configuration, configuration.http.secret.get_secret_value().encode())
    server = Granian(**_server_options(configuration.http, address, worker_count(configuration, workers)))

    @server.on_startup
    def announce() -> None:
        line = f"listening on {address}{', tls' if configuration.http.tls.certificate else ''}"
        log.info(line)
        started(address)

    # What is in memory now is the same in all workers; the collector must not touch, and so copy, it.
    gc.collect()
    gc.freeze()
    server.serve(target_loader=cast("Loader", partial(assemble, plan)), wrap_loader=False)
    if address.path:
        Path(address.path).unlink(missing_ok=True)


def worker_count(configuration: Configuration, asked: int) -> int:
    """One a core unless told otherwise; one alone where the content is in its memory."""
    if not isinstance(configuration.storage.driver, Filesystem):
        return 1
    return asked or len(os.sched_getaffinity(0))


def check_storage(configuration: Configuration) -> None:
    """Raises StartFailed where the store cannot be written, or not be used for what is asked."""
    parameters = configuration.storage.driver
    if not isinstance(parameters, Filesystem):
        if configuration.proxy.remoteurl:
            raise StartFailed("proxy.remoteurl: a mirror keeps its content in files; use storage.filesystem")
        return
    driver = FilesystemDriver(parameters.rootdirectory, parameters.maxthreads)
    try:
        driver.check()
    except OSError as error:
        raise StartFailed(f"storage.filesystem.rootdirectory: {error}") from None
    finally:
        driver.close()


def _server_options(http: Http, address: Address, workers: int) -> dict[str, Any]:
    return {
        "target": "entrepot",
        "interface": Interfaces.RSGI,
        "workers": workers,
        # Bodies are read five times as fast as with a multi-threaded runtime.
        "runtime_mode": RuntimeModes.st,
        "loop": Loops.uvloop,
        "websockets": False,
        "backlog": _BACKLOG,
        "backpressure": _CONCURRENT,
        "http1_settings": HTTP1Settings(header_read_timeout=_HEADER_TIMEOUT),
        "log_enabled": False,
        "respawn_failed_workers": True,
        "respawn_interval": 1.0,
        "workers_kill_timeout": max(1, math.ceil(http.draintimeout or _DRAIN)),
        **({"uds": Path(address.path)} if address.path else {"address": address.host, "port": address.port}),
        **_tls_options(http),
    }


def _tls_options(http: Http) -> dict[str, Any]:
    tls = http.tls
    if not tls.certificate:
        return {"http": HTTPModes.auto if http.h2c.enabled else HTTPModes.http1}
    for key, path in (("certificate", tls.certificate), ("key", tls.key)):
        if not os.access(path, os.R_OK):
            raise StartFailed(f"http.tls.{key}: cannot read {path}")
    return {
        "http": HTTPModes.http1 if http.http2.disabled else HTTPModes.auto,
        "ssl_cert": Path(tls.certificate),
        "ssl_key": Path(tls.key),
        "ssl_protocol_min": SSLProtocols.tls13 if tls.minimumtls == "tls1.3" else SSLProtocols.tls12,
    }
