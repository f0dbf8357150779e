"""The supervisor: checks what can be checked, then runs the workers until it is told to stop."""

from __future__ import annotations

import gc
import math
import os
import resource
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from socket import socket
from typing import Any, cast

from granian.constants import HTTPModes, Interfaces, Loops, RuntimeModes, SSLProtocols
from granian.http import HTTP1Settings, HTTP2Settings

from entrepot.api.rsgi import RsgiApplication
from entrepot.config.drivers import Filesystem
from entrepot.config.http import Http
from entrepot.config.readable import unreadable_files
from entrepot.config.root import Configuration
from entrepot.drivers.filesystem import FilesystemDriver
from entrepot.health.state import HealthState
from entrepot.server.assemble import assemble
from entrepot.server.authentication import AuthInvalid, build_authenticator, provision_htpasswd
from entrepot.server.certificates import check_certificate
from entrepot.server.duties import assemble_duties, build_debug, wanted_duties
from entrepot.server.health import checked
from entrepot.server.keeper import keep
from entrepot.server.listener import Address, StartFailed, address_of, open_debug, prepare
from entrepot.server.logs import configure_logs, open_standard_streams
from entrepot.server.metering import figures_for
from entrepot.server.mirroring import build_upstream
from entrepot.server.patience import Patience
from entrepot.server.plan import Plan
from entrepot.server.supervisor import Supervisor
from entrepot.server.worker import run_worker
from entrepot.telemetry import SilentMeter, get_logger

log = get_logger(__name__)

Loader = Callable[..., Callable[..., Any]]

_CONCURRENT = 8192
"""Connections a worker has before it lets new ones wait."""

_FILE_THREADS = 2048
"""Threads of a worker that read files, and wait for the bytes of cold blobs; made when they are needed."""

_HTTP2_HEADERS = 64 * 1024
_HTTP2_PING = 30_000  # milliseconds
_DRAIN = 30.0
"""Seconds that requests under way get at the end, where `http.draintimeout` does not say."""

_LONGEST_DRAIN = 2_000_000
"""Seconds; the supervisor waits with poll(2), whose milliseconds must fit 31 bits."""


def serve(
    configuration: Configuration,
    workers: int,
    started: Callable[[Address], None],
    patience: Patience = Patience(),  # noqa: B008  # frozen
) -> None:
    """Serve until SIGTERM or SIGINT, then drain. Raises StartFailed. Calls `started` once connections are taken."""
    open_standard_streams()
    allow_open_files()
    configure_logs(configuration.level, configuration.log.formatter, configuration.log.fields)
    check_storage(configuration)
    check_upstreams(configuration)
    check_auth(configuration)
    if configuration.http.tls.certificate:
        check_certificate(configuration.http.tls)
    debug = open_debug(configuration.http)
    address = prepare(configuration.http.listener)
    secret = configuration.http.secret.get_secret_value().encode()
    with figures_for(configuration.http.debug) as figures:
        health = HealthState() if checked(configuration) else None
        plan = Plan(configuration, secret, patience, figures=figures, health=health)
        _supervise(plan, debug, address, worker_count(configuration, workers), started)


def allow_open_files() -> None:
    """As many as the system lets this process have: each connection is one, and a cold blob's takes some more."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _supervise(
    plan: Plan, debug: socket | None, address: Address, workers: int, started: Callable[[Address], None]
) -> None:
    ready = [build_debug(plan, debug)] if debug is not None else []
    has_keeper = ready or wanted_duties(plan.configuration)
    keeper = partial(keep, partial(assemble_duties, plan, ready)) if has_keeper else None
    options = _server_options(plan.configuration.http, plan.patience, workers)
    server = Supervisor(address, plan.patience, keeper, **options)

    @server.on_startup
    def announce() -> None:
        _announce(plan.configuration.http, address, debug)
        started(address)

    # What is in memory now is the same in all workers; the collector must not touch, and so copy, it.
    gc.collect()
    gc.freeze()
    try:
        server.serve(run_worker, target_loader=cast("Loader", partial(_begin, plan, debug)), wrap_loader=False)
    except SystemExit:
        raise StartFailed("its workers end as soon as they are started; the lines above may say why") from None


def _announce(http: Http, address: Address, debug: socket | None) -> None:
    line = f"listening on {address}{', tls' if http.tls.certificate else ''}"
    log.info(line)
    if debug is not None:
        line = f"debug server listening on {address_of(debug)}"
        log.info(line)


def _begin(plan: Plan, debug: socket | None) -> RsgiApplication:
    # Runs in the worker. The debug listener is the keeper's.
    if debug is not None:
        debug.close()
    return assemble(plan)


def worker_count(configuration: Configuration, asked: int) -> int:
    """One a core unless told otherwise; one alone where the content is in its memory."""
    if not isinstance(configuration.storage.driver, Filesystem):
        return 1
    return asked or len(os.sched_getaffinity(0))


def check_storage(configuration: Configuration) -> None:
    """Raises StartFailed where the store cannot be written, or not be used for what is asked."""
    parameters = configuration.storage.driver
    if not isinstance(parameters, Filesystem):
        if configuration.proxy.enabled:
            raise StartFailed("proxy: a mirror keeps its content in files; use storage.filesystem")
        return
    driver = FilesystemDriver(parameters.rootdirectory, parameters.maxthreads)
    try:
        driver.check()
    except OSError as error:
        raise StartFailed(f"storage.filesystem.rootdirectory: {error}") from None
    finally:
        driver.close()


def check_upstreams(configuration: Configuration) -> None:
    """Raises StartFailed where a file that `proxy` names is no good. Whether upstreams answer does not matter."""
    for path, text in unreadable_files(configuration.proxy):
        raise StartFailed(f"{path}: {text}")
    for source in configuration.proxy.sources:
        try:
            build_upstream(source, SilentMeter())
        except ValueError as error:
            raise StartFailed(f"proxy, {source.domain}: {error}") from None


def check_auth(configuration: Configuration) -> None:
    """Raises StartFailed where what `auth` names cannot be used."""
    try:
        provision_htpasswd(configuration.auth)
        build_authenticator(configuration.auth)
    except AuthInvalid as error:
        raise StartFailed(str(error)) from None


def _server_options(http: Http, patience: Patience, workers: int) -> dict[str, Any]:
    return {
        "interface": Interfaces.RSGI,
        "workers": workers,
        # Bodies are read five times as fast as with a multi-threaded runtime.
        "runtime_mode": RuntimeModes.st,
        "runtime_blocking_threads": _FILE_THREADS,
        "loop": Loops.uvloop,
        "websockets": False,
        "backpressure": _CONCURRENT,
        "http1_settings": HTTP1Settings(header_read_timeout=math.ceil(patience.headers * 1000)),
        "http2_settings": HTTP2Settings(max_headers_size=_HTTP2_HEADERS, keep_alive_interval=_HTTP2_PING),
        "log_enabled": False,
        "respawn_failed_workers": True,
        "respawn_interval": 1.0,
        "workers_kill_timeout": max(1, min(math.ceil(http.draintimeout or _DRAIN), _LONGEST_DRAIN)),
        **_tls_options(http),
    }


def _tls_options(http: Http) -> dict[str, Any]:
    tls = http.tls
    if not tls.certificate:
        return {"http": HTTPModes.auto if http.h2c.enabled else HTTPModes.http1}
    return {
        "http": HTTPModes.http1 if http.http2.disabled else HTTPModes.auto,
        "ssl_cert": Path(tls.certificate),
        "ssl_key": Path(tls.key),
        "ssl_protocol_min": SSLProtocols.tls13 if tls.minimumtls == "tls1.3" else SSLProtocols.tls12,
    }
