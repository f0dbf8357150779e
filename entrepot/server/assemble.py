"""From a plan to the application that a worker serves. What a mirror takes on top is put together in mirroring.py."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from entrepot.api.access_log import AccessLog
from entrepot.api.admission import Admission
from entrepot.api.dispatch import Dispatcher
from entrepot.api.hits import HitHandlers
from entrepot.api.listening import NotedRegistry, listening
from entrepot.api.listings import PageLimits
from entrepot.api.message import Header
from entrepot.api.provenance import provenance
from entrepot.api.routes import Action
from entrepot.api.rsgi import RsgiApplication
from entrepot.api.state import StateSigner
from entrepot.api.table import Around, build_routes
from entrepot.api.urls import Urls
from entrepot.config.drivers import Filesystem
from entrepot.config.http import Http
from entrepot.config.root import Configuration
from entrepot.config.storage import Storage
from entrepot.descriptors.sharing import SharingRegistry
from entrepot.diagnostics.probe import Probe
from entrepot.driver import Driver, LocalPaths, Resident
from entrepot.drivers.filesystem import FilesystemDriver
from entrepot.drivers.guarded import Guarded
from entrepot.drivers.memory import MemoryDriver
from entrepot.drivers.metered import Metered
from entrepot.listener import PULL
from entrepot.registry import Hits, Outcome, Registry
from entrepot.server.authentication import build_authenticator
from entrepot.server.logs import configure_logs
from entrepot.server.metering import meter_for, written
from entrepot.server.middleware import redirection, wrapped, wraps
from entrepot.server.mirroring import build_mirror, local_names
from entrepot.server.notifying import build_journal, wanted_actions
from entrepot.server.plan import Plan
from entrepot.server.served import Served
from entrepot.storage.allowance import Allowance
from entrepot.storage.free_space import FreeSpace
from entrepot.storage.hits import LocalHits
from entrepot.storage.local import LocalRegistry
from entrepot.storage.renewals import Renewals, RenewedHits
from entrepot.storage.validation import Rules
from entrepot.telemetry import Meter
from entrepot.wire.via import Hop

if TYPE_CHECKING:
    from entrepot.descriptors.redis_cache import RedisCache

_MOST_DESCRIPTORS = 1_000_000
_STDOUT = 1  # also where Python has no object for it


def assemble(plan: Plan) -> RsgiApplication:
    """Everything a worker serves, ready for its event loop."""
    configuration = plan.configuration
    configure_logs(configuration)
    meter = meter_for(plan)
    driver, close = build_driver(configuration.storage)
    driver = driver if plan.figures is None else metered(driver, meter)
    served = build_served(configuration, driver, meter)
    urls, journal = build_urls(configuration.http), build_journal(plan, meter)
    sharing = build_sharing(configuration)
    registry: Registry = served.registry if sharing is None else SharingRegistry(served.registry, sharing)
    registry = registry if journal is None else NotedRegistry(registry)
    middleware = configuration.middleware
    registry = wrapped(registry, middleware)
    url_of = None if configuration.storage.redirect.disable else redirection(middleware)
    around = build_around(configuration, registry)
    states, limits = StateSigner(plan.secret), build_limits(configuration)
    routes = build_routes(registry, urls, states, limits, url_of, around=around)
    is_plain = around is None and url_of is None and not wraps(middleware) and PULL not in wanted_actions(configuration)
    hits = served.hits if is_plain else None
    authenticator = build_authenticator(configuration.auth)
    dispatcher = Dispatcher(
        routes if journal is None else listening(routes, journal, urls),
        allowed_actions(configuration),
        configuration.http.prefix,
        build_headers(configuration.http),
        # What stands around the registry, and who is told of pulls, sees each request: that takes the ordinary way. So
        # do manifests that are converted.
        None if hits is None else HitHandlers(hits, provenance(served.outcome)),
        naming=served.naming,
        admission=None if authenticator is None else Admission(authenticator),
        health=plan.health,
        provenance=provenance(served.outcome),
        hop=None if served.naming is None else Hop(plan.name),
    )
    access_log = None if configuration.log.accesslog.disabled else AccessLog(_STDOUT)
    probe = None if plan.debug is None else Probe(plan.debug, "worker")
    beside = (one.run for one in (journal, sharing, probe) if one is not None)
    background = [*served.background, *written(meter), *beside]
    counted = None if plan.figures is None else meter
    return RsgiApplication(dispatcher, access_log, plan.patience.body, close, background, meter=counted)


def build_sharing(configuration: Configuration) -> RedisCache | None:
    """What tells other registries of descriptors; None where nobody shares them."""
    if configuration.storage.cache.descriptors != "redis":
        return None
    # Its library takes megabytes of each worker: only for those who ask for it.
    clients = import_module("entrepot.server.redis_clients")
    cache: RedisCache = clients.build_cache(configuration.redis)
    return cache


def build_driver(storage: Storage) -> tuple[Driver, Callable[[], None]]:
    """The driver and what closes it."""
    parameters = storage.driver
    if isinstance(parameters, Filesystem):
        driver = FilesystemDriver(parameters.rootdirectory, parameters.maxthreads)
        return driver, driver.close
    # The filesystem driver checks its paths itself, off the hit path.
    return Guarded(MemoryDriver()), lambda: None


def metered(driver: Driver, meter: Meter) -> Driver:
    """The same, by Distribution's names for the drivers."""
    return Metered(driver, "filesystem" if isinstance(driver, FilesystemDriver) else "inmemory", meter)


def build_served(configuration: Configuration, driver: Driver, meter: Meter) -> Served:
    """The local registry, or a mirror that keeps its content in one."""
    local = driver if isinstance(driver, LocalPaths) else None
    storage, proxy = configuration.storage, configuration.proxy
    build_registry = partial(
        LocalRegistry,
        driver,
        local,
        build_rules(configuration),
        remembered_descriptors(storage),
        allowance=build_allowance(storage),
        renewals=None if local is None else build_renewals(storage, local),
    )
    if local is None or not proxy.enabled:
        registry = build_registry()
        return Served(registry, build_hits(driver, local, registry))
    # What is mirrored may leave: nothing that lives here may depend on it.
    registry = build_registry(mountable=local_names(proxy), outcome=Outcome.HIT)
    return build_mirror(proxy, registry, local, build_hits(driver, local, registry), meter)


def build_hits(driver: Driver, local: LocalPaths | None, registry: LocalRegistry) -> Hits | None:
    """What can be answered without waiting, where the driver knows something without waiting."""
    if local is None or not isinstance(driver, Resident):
        return None
    hits = LocalHits(driver, local, registry.manifests)
    return hits if registry.renewals is None else RenewedHits(hits, registry.renewals)


def remembered_descriptors(storage: Storage) -> int:
    """Entries of the descriptor cache; Distribution's 0 and less means without a bound, which nothing here is."""
    if storage.cache.descriptors != "inmemory":
        return 0
    return storage.cache.blobdescriptorsize if storage.cache.blobdescriptorsize > 0 else _MOST_DESCRIPTORS


def build_renewals(storage: Storage, local: LocalPaths) -> Renewals | None:
    """What keeps a collection from what clients have found; None where there is none beside the server."""
    settings = storage.maintenance.garbagecollect
    return Renewals(local, settings.age) if settings.enabled else None


def build_allowance(storage: Storage) -> Allowance:
    """What uploads may take. Nothing is known of free space where there is no file system."""
    limits, driver = storage.maintenance.uploadlimits, storage.driver
    allowance = Allowance(limits.maxsize, limits.maxsessions)
    if not limits.minfree or not isinstance(driver, Filesystem):
        return allowance
    free = FreeSpace(driver.rootdirectory, limits.minfree.percent / 100, limits.minfree.size)
    return replace(allowance, is_short=lambda: free.shortage() > 0)


def build_rules(configuration: Configuration) -> Rules:
    urls = configuration.validation.manifests.urls
    return Rules(
        urls_checked=not configuration.validation.disabled,
        allow=_any_of(urls.allow),
        deny=_any_of(urls.deny),
        classes=frozenset(configuration.policy.repository.classes),
        platforms=build_platforms(configuration),
        schema1=configuration.compatibility.schema1.enabled,
    )


def build_around(configuration: Configuration, registry: Registry) -> Around | None:
    """What converts manifests for old clients; None where nobody asked for it. Raises what reading its key raises."""
    settings = configuration.compatibility.schema1
    if not settings.enabled:
        return None
    made: Around = import_module("entrepot.server.schema1").around(settings, registry)
    return made


def build_platforms(configuration: Configuration) -> frozenset[tuple[str, str]] | None:
    """Of which platforms an index must have the manifests; None is all."""
    indexes = configuration.validation.manifests.indexes
    if configuration.validation.disabled or indexes.platforms == "all":
        return None
    return frozenset((one.os, one.architecture) for one in indexes.platformlist)


def _any_of(patterns: Collection[re.Pattern[str]]) -> re.Pattern[str] | None:
    return re.compile("|".join(f"(?:{one.pattern})" for one in patterns)) if patterns else None


def build_urls(http: Http) -> Urls:
    # A path in `http.host` is the whole path; without one the prefix belongs behind it.
    has_path = http.host.endswith("/")
    host = http.host.rstrip("/") + ("" if has_path else http.prefix) if http.host else ""
    return Urls(host=host, prefix=http.prefix, relative=http.relativeurls)


def build_limits(configuration: Configuration) -> PageLimits:
    return PageLimits(catalog=configuration.catalog.maxentries, tags=configuration.tags.maxtags)


def build_headers(http: Http) -> list[Header]:
    return [(name.lower(), value) for name, values in http.headers.items() for value in values]


def allowed_actions(configuration: Configuration) -> frozenset[Action]:
    """What anybody may do at all, whoever he is."""
    reading = frozenset({Action.PING, Action.PULL, Action.CATALOG})
    proxy = configuration.proxy
    if configuration.storage.maintenance.readonly.enabled or (proxy.enabled and not proxy.local):
        return reading
    if configuration.storage.delete.enabled:
        return reading | {Action.PUSH, Action.DELETE}
    return reading | {Action.PUSH}
