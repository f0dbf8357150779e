"""The supervisor: checks what can be checked, then runs the workers until it is told to stop."""

from __future__ import annotations

import gc
import math
import os
import resource
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from socket import socket
from typing import Any, cast

from granian.constants import HTTPModes, Interfaces, Loops, RuntimeModes
from granian.http import HTTP1Settings, HTTP2Settings

from entrepot.api.rsgi import RsgiApplication
from entrepot.config.drivers import Filesystem
from entrepot.config.http import Http
from entrepot.config.root import Configuration
from entrepot.health.state import HealthState
from entrepot.server.assemble import assemble
from entrepot.server.duties import assemble_duties, build_debug, wanted_duties
from entrepot.server.health import checked
from entrepot.server.keeper import Duty, keep
from entrepot.server.letsencrypt import certified, ensure_certificate
from entrepot.server.listener import Address, StartFailed, address_of, open_debug, prepare
from entrepot.server.logs import configure_logs, open_standard_streams
from entrepot.server.metering import debug_directory
from entrepot.server.notifying import outbox_for
from entrepot.server.patience import Patience
from entrepot.server.plan import Plan
from entrepot.server.renewal import Read, Renewal
from entrepot.server.service import READY, STOPPING, notify, passed_socket, reloading
from entrepot.server.start_checks import check
from entrepot.server.supervisor import Supervisor
from entrepot.server.worker import run_worker
from entrepot.telemetry import get_logger

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
    read: Read | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain. Raises StartFailed. Calls `started` once connections are taken.

    At SIGHUP the configuration is asked of `read`, if there is one, and the workers are replaced.
    """
    open_standard_streams()
    allow_open_files()
    configure_logs(configuration)
    check(configuration)
    ensure_certificate(configuration.http.tls.letsencrypt)
    configuration = certified(configuration)
    debug = open_debug(configuration.http)
    address = prepare(configuration.http.listener, passed_socket())
    secret = configuration.http.secret.get_secret_value().encode()
    with debug_directory(configuration.http.debug) as directory, outbox_for(configuration) as outbox:
        health = HealthState() if checked(configuration) else None
        plan = Plan(configuration, secret, patience, outbox, debug=directory, health=health)
        renewal = Renewal(plan, read)
        _supervise(renewal, debug, address, worker_count(configuration, workers), started)


def allow_open_files() -> None:
    """As many as the system lets this process have: each connection is one, and a cold blob's takes some more."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _supervise(
    renewal: Renewal, debug: socket | None, address: Address, workers: int, started: Callable[[Address], None]
) -> None:
    plan = renewal.plan

    def duties() -> Sequence[Duty]:
        ready = [build_debug(renewal.plan, debug)] if debug is not None else []
        return assemble_duties(renewal.plan, ready)

    def renewed(is_asked: bool) -> bool:
        notify(reloading())
        is_new = renewal.renew(is_asked=is_asked, goes_on=lambda: not server.interrupt_signal)
        if is_new:
            apply(server, renewal)
        notify(READY)
        return is_new

    def is_kept() -> bool:
        return debug is not None or bool(wanted_duties(renewal.plan.configuration))

    server = Supervisor(
        address,
        plan.patience,
        partial(keep, duties),
        is_kept,
        renewed,
        **_server_options(plan.patience, workers),
    )
    apply(server, renewal)

    @server.on_startup
    def announce() -> None:
        _announce(plan.configuration.http, address, debug)
        started(address)
        renewal.watch(server.look_again)
        notify(READY)

    @server.on_shutdown
    def leave() -> None:
        notify(STOPPING)

    # What is in memory now is the same in all workers; the collector must not touch, and so copy, it.
    gc.collect()
    gc.freeze()
    try:
        server.serve(run_worker, target_loader=cast("Loader", partial(_begin, renewal, debug)), wrap_loader=False)
    except SystemExit:
        raise StartFailed("its workers end as soon as they are started; the lines above may say why") from None


def _announce(http: Http, address: Address, debug: socket | None) -> None:
    line = f"listening on {address}{', tls' if http.tls.certificate else ''}"
    log.info(line)
    if debug is not None:
        line = f"debug server listening on {address_of(debug)}"
        log.info(line)


def _begin(renewal: Renewal, debug: socket | None) -> RsgiApplication:
    # Runs in the worker. The debug listener is the keeper's.
    if debug is not None:
        debug.close()
    return assemble(renewal.plan)


def worker_count(configuration: Configuration, asked: int) -> int:
    """One a core unless told otherwise; one alone where the content is in its memory."""
    if not isinstance(configuration.storage.driver, Filesystem):
        return 1
    return asked or len(os.sched_getaffinity(0))


def _server_options(patience: Patience, workers: int) -> dict[str, Any]:
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
    }


def apply(server: Supervisor, renewal: Renewal) -> None:
    """What workers that are started from now on get of the configuration."""
    http = renewal.plan.configuration.http
    server.ssl_ctx = cast("Any", renewal.files.context())
    server.workers_kill_timeout = max(1, min(math.ceil(http.draintimeout or _DRAIN), _LONGEST_DRAIN))
    if http.tls.certificate:
        server.http = HTTPModes.http1 if http.http2.disabled else HTTPModes.auto
    else:
        server.http = HTTPModes.auto if http.h2c.enabled else HTTPModes.http1
