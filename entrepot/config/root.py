"""The whole configuration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from entrepot.config.auth import Auth
from entrepot.config.compatibility import Compatibility
from entrepot.config.health import Health
from entrepot.config.http import Http
from entrepot.config.listings import Catalog, Tags
from entrepot.config.log import Level, Log
from entrepot.config.middleware import Middleware
from entrepot.config.notifications import Notifications
from entrepot.config.policy import Policy
from entrepot.config.proxy import Proxy
from entrepot.config.redis import Redis
from entrepot.config.reporting import Reporting
from entrepot.config.section import Given, Section, value_at
from entrepot.config.storage import Storage
from entrepot.config.types import one_of
from entrepot.config.validation import Validation


class Configuration(Section):
    """Everything that config.yml of Distribution 2.6 to 3.1 can say; all times are in seconds."""

    version: Annotated[Literal["0.1"], one_of("0.1")]
    log: Log = Log()
    loglevel: Level | None = None
    storage: Storage
    auth: Auth = Auth()
    middleware: Middleware = Middleware()
    reporting: Reporting = Reporting()
    http: Http = Http()
    notifications: Notifications = Notifications()
    redis: Redis = Redis()
    health: Health = Health()
    catalog: Catalog = Catalog()
    tags: Tags = Tags()
    proxy: Proxy = Proxy()
    compatibility: Compatibility = Compatibility()
    validation: Validation = Validation()
    policy: Policy = Policy()

    @property
    def level(self) -> Level:
        """The log level, by whichever name it was given."""
        return self.log.level or self.loglevel or "info"

    @classmethod
    def contradictions(cls, given: Given) -> Iterator[tuple[str, str]]:
        old, new = given.get("loglevel"), value_at(given, "log", "level")
        if old is not None and new is not None and old != new:
            yield "loglevel", "an old name of log.level, which has another value"
        cache = value_at(given, "storage", "cache")
        caches = (value_at(cache, "blobdescriptor"), value_at(cache, "layerinfo"))
        if "redis" in caches and not value_at(given, "redis"):
            yield "redis", "required where storage.cache.blobdescriptor is redis"
