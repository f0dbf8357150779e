"""From a plan to the application that a worker serves. The only module that names concrete classes."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from entrepot.api.access_log import AccessLog
from entrepot.api.dispatch import Dispatcher
from entrepot.api.hits import HitHandlers
from entrepot.api.listings import PageLimits
from entrepot.api.message import Header
from entrepot.api.routes import Action
from entrepot.api.rsgi import RsgiApplication
from entrepot.api.state import StateSigner
from entrepot.api.table import build_routes
from entrepot.api.urls import Urls
from entrepot.config.drivers import Filesystem
from entrepot.config.http import Http
from entrepot.config.proxy import Proxy
from entrepot.config.root import Configuration
from entrepot.config.storage import Storage
from entrepot.driver import Driver, LocalPaths, Resident
from entrepot.drivers.filesystem import FilesystemDriver
from entrepot.drivers.guarded import Guarded
from entrepot.drivers.memory import MemoryDriver
from entrepot.mirror.caching import CachingRegistry
from entrepot.mirror.hits import DigestHits
from entrepot.registry import Hits, Registry
from entrepot.server.logs import configure_logs
from entrepot.server.plan import Plan
from entrepot.storage.cache import LocalCache
from entrepot.storage.hits import LocalHits
from entrepot.storage.local import LocalRegistry
from entrepot.storage.validation import Rules
from entrepot.upstream.client import OciUpstream
from entrepot.upstream.credentials import StaticCredentials

_MOST_DESCRIPTORS = 1_000_000
_STDOUT = 1  # also where Python has no object for it


def assemble(plan: Plan) -> RsgiApplication:
    """Everything a worker serves, ready for its event loop."""
    configuration = plan.configuration
    configure_logs(configuration.level, configuration.log.formatter, configuration.log.fields)
    driver, close = build_driver(configuration.storage)
    registry, hits = build_registry(configuration, driver)
    routes = build_routes(
        registry, build_urls(configuration.http), StateSigner(plan.secret), build_limits(configuration)
    )
    dispatcher = Dispatcher(
        routes,
        allowed_actions(configuration),
        configuration.http.prefix,
        build_headers(configuration.http),
        HitHandlers(hits) if hits is not None else None,
    )
    access_log = None if configuration.log.accesslog.disabled else AccessLog(_STDOUT)
    return RsgiApplication(dispatcher, access_log, plan.patience.body, close)


def build_driver(storage: Storage) -> tuple[Driver, Callable[[], None]]:
    """The driver and what closes it."""
    parameters = storage.driver
    if isinstance(parameters, Filesystem):
        driver = FilesystemDriver(parameters.rootdirectory, parameters.maxthreads)
        return driver, driver.close
    # The filesystem driver checks its paths itself, off the hit path.
    return Guarded(MemoryDriver()), lambda: None


def build_registry(configuration: Configuration, driver: Driver) -> tuple[Registry, Hits | None]:
    """The local registry, or a mirror that keeps its content in one; and what it can answer without waiting."""
    local = driver if isinstance(driver, LocalPaths) else None
    remembered = remembered_descriptors(configuration.storage)
    registry = LocalRegistry(driver, local, build_rules(configuration), remembered)
    hits = LocalHits(driver, local, registry.manifests) if isinstance(driver, Resident) and local is not None else None
    if local is None or not configuration.proxy.remoteurl:
        return registry, hits
    mirror = CachingRegistry(LocalCache(registry, local), build_upstream(configuration.proxy))
    return mirror, DigestHits(hits) if hits is not None else None


def remembered_descriptors(storage: Storage) -> int:
    """Entries of the descriptor cache; Distribution's 0 and less means without a bound, which nothing here is."""
    if storage.cache.descriptors != "inmemory":
        return 0
    return storage.cache.blobdescriptorsize if storage.cache.blobdescriptorsize > 0 else _MOST_DESCRIPTORS


def build_upstream(proxy: Proxy) -> OciUpstream:
    credentials = None
    if proxy.username:
        credentials = StaticCredentials(proxy.remoteurl[0], proxy.username, proxy.password.get_secret_value())
    return OciUpstream(proxy.remoteurl[0], credentials)


def build_rules(configuration: Configuration) -> Rules:
    urls = configuration.validation.manifests.urls
    return Rules(
        urls_checked=not configuration.validation.disabled,
        allow=_any_of(urls.allow),
        deny=_any_of(urls.deny),
        classes=frozenset(configuration.policy.repository.classes),
    )


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
    if configuration.proxy.remoteurl or configuration.storage.maintenance.readonly.enabled:
        return reading
    if configuration.storage.delete.enabled:
        return reading | {Action.PUSH, Action.DELETE}
    return reading | {Action.PUSH}
