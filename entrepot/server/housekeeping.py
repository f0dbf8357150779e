"""The keeper's duty in a mirror, put together: what leaves the cache, and what is known of it kept true."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from entrepot.config.drivers import Filesystem
from entrepot.config.proxy import Proxy
from entrepot.drivers.filesystem import FilesystemDriver
from entrepot.index.inventory import SqliteInventory
from entrepot.mirror.expiry import Bounds, Expiry
from entrepot.mirror.housekeeping import Housekeeping
from entrepot.mirror.removal import Removal
from entrepot.server.mirroring import INDEX, local_names, namespace_names
from entrepot.storage.eviction import Eviction
from entrepot.storage.free_space import FreeSpace
from entrepot.storage.leftovers import Leftovers
from entrepot.storage.scheduler_state import read_expiries
from entrepot.storage.survey import Survey
from entrepot.telemetry import Meter

_PAUSE = 2.0
"""Seconds that a reader has for opening what it has just seen; more than the second after which a use is written."""


def build_housekeeping(proxy: Proxy, storage: Filesystem, meter: Meter) -> Housekeeping:
    """For the cache below the driver's root."""
    driver = FilesystemDriver(storage.rootdirectory, storage.maxthreads)
    is_local, namespace_of, bounds = local_names(proxy), namespace_names(proxy), bounds_of(proxy)
    inventory = SqliteInventory(driver.local_path(INDEX), namespace_of)
    survey = Survey(driver, is_local)
    removal = Removal(inventory, Eviction(driver, driver, _PAUSE), survey, is_local)
    expiry = Expiry(
        inventory,
        removal,
        bounds=bounds,
        maxsize=proxy.maxsize,
        shortage=shortage_of(proxy, storage),
        namespace_of=namespace_of,
        meter=meter,
    )
    return Housekeeping(
        inventory,
        survey,
        expiry,
        removal,
        sweep=Leftovers(driver, driver).sweep,
        expiries=partial(read_expiries, driver),
        bounds=bounds,
        namespace_of=namespace_of,
    )


def bounds_of(proxy: Proxy) -> Mapping[str, Bounds]:
    """By the directory of each upstream."""
    return {source.component: Bounds(source.ttl, source.maxsize, source.domain) for source in proxy.sources}


def shortage_of(proxy: Proxy, storage: Filesystem) -> Callable[[], int]:
    """How many bytes have to go for `minfree`."""
    return FreeSpace(storage.rootdirectory, proxy.minfree.percent / 100, proxy.minfree.size).shortage
