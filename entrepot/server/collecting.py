"""The garbage collection of a configuration's storage, put together."""

from __future__ import annotations

from collections.abc import Callable

from entrepot.config.drivers import Filesystem
from entrepot.config.root import Configuration
from entrepot.drivers.filesystem import FilesystemDriver
from entrepot.server.mirroring import local_names
from entrepot.server.plan import Plan
from entrepot.storage.collecting import Collecting
from entrepot.storage.evicted import Identity
from entrepot.storage.eviction import Eviction
from entrepot.storage.garbage import Garbage, Policy
from entrepot.storage.survey import Survey

_PAUSE = 2.0
"""Seconds in which a push links what it has just found, or brought."""


class NothingToCollect(Exception):
    """The storage is none that is collected here."""


def build_garbage(
    configuration: Configuration, policy: Policy, say: Callable[[str], None], pause: float
) -> tuple[Garbage[Identity], Callable[[], None]]:
    """The collection, and what closes its driver. `pause` as an Eviction's. Raises NothingToCollect."""
    storage = configuration.storage.driver
    if not isinstance(storage, Filesystem):
        raise NothingToCollect("only storage.filesystem is collected")
    driver = FilesystemDriver(storage.rootdirectory, storage.maxthreads)
    is_local = local_names(configuration.proxy)
    garbage = Garbage(
        driver,
        Eviction(driver, driver, pause),
        Survey(driver, lambda _: True).pinned,
        policy,
        is_cached=lambda name: configuration.proxy.enabled and not is_local(name),
        say=say,
    )
    return garbage, driver.close


def build_collecting(plan: Plan) -> Collecting:
    """The keeper's duty, where `storage.maintenance.garbagecollect` is enabled."""
    settings = plan.configuration.storage.maintenance.garbagecollect
    policy = Policy(settings.age, untagged=settings.deleteuntagged)

    def build() -> Garbage[Identity]:
        return build_garbage(plan.configuration, policy, lambda _: None, _PAUSE)[0]

    return Collecting(build, settings.interval, plan.patience.purging)
