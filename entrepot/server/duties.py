"""Which duties the keeper has, and how each is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from socket import socket

from entrepot.config.drivers import Filesystem
from entrepot.config.root import Configuration
from entrepot.diagnostics.probe import Probe
from entrepot.server.assemble import build_driver
from entrepot.server.collecting import build_collecting
from entrepot.server.debug import DebugListener
from entrepot.server.health import build_checkup, checked
from entrepot.server.housekeeping import build_housekeeping
from entrepot.server.keeper import Duty
from entrepot.server.letsencrypt import build_certification
from entrepot.server.metering import meter_for
from entrepot.server.notifying import build_delivery, enabled
from entrepot.server.plan import Plan
from entrepot.storage.purging import UploadPurging

Maker = Callable[[Plan], Duty]


def wanted_duties(configuration: Configuration) -> Sequence[Maker]:
    """How each duty is made that the configuration asks for.

    A new duty is a condition here, and a function below that makes it.
    """
    makers: list[Maker] = []
    if purges_uploads(configuration):
        makers.append(build_purging)
    if configuration.proxy.enabled:
        makers.append(build_expiry)
    if checked(configuration):
        makers.append(build_checkup)
    if configuration.storage.maintenance.garbagecollect.enabled:
        makers.append(build_collecting)
    if configuration.http.tls.letsencrypt.cachefile:
        makers.append(build_certification)
    if enabled(configuration):
        makers.append(build_delivery)
    return makers


def assemble_duties(plan: Plan, ready: Sequence[Duty] = ()) -> Sequence[Duty]:
    """All duties, behind those that are made already. Called in the keeper: before its fork nothing may be opened."""
    probes = [] if plan.debug is None else [Probe(plan.debug, "keeper")]
    return [*ready, *probes, *(make(plan) for make in wanted_duties(plan.configuration))]


def purges_uploads(configuration: Configuration) -> bool:
    """Uploads in memory end with the process: there is nothing to purge."""
    storage = configuration.storage
    return isinstance(storage.driver, Filesystem) and storage.maintenance.uploadpurging.enabled


def build_expiry(plan: Plan) -> Duty:
    storage = plan.configuration.storage.driver
    if not isinstance(storage, Filesystem):
        raise TypeError("a mirror keeps its content in files")
    return build_housekeeping(plan.configuration.proxy, storage, meter_for(plan))


def build_purging(plan: Plan) -> Duty:
    driver, _ = build_driver(plan.configuration.storage)
    purging = plan.configuration.storage.maintenance.uploadpurging
    return UploadPurging(driver, purging.age, purging.interval, dryrun=purging.dryrun, delay=plan.patience.purging)


def build_debug(plan: Plan, listening: socket) -> Duty:
    """Made before the fork, so that what it imports is in memory once."""
    path = plan.configuration.http.debug.prometheus.path
    return DebugListener(listening, path, plan.figures, plan.health, plan.debug)
