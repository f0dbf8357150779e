"""The check of a configuration's storage, put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from entrepot.config.drivers import Filesystem
from entrepot.config.root import Configuration
from entrepot.drivers.filesystem import FilesystemDriver
from entrepot.server.mirroring import local_names
from entrepot.storage.mending import Mending
from entrepot.storage.soundness import Soundness


class NothingToCheck(Exception):
    """The storage is none that is checked here."""


class Checking(NamedTuple):
    """The check, what mends, and what closes their driver."""

    soundness: Soundness
    mending: Mending
    close: Callable[[], None]


def build_checking(configuration: Configuration, passed: Callable[[int], None]) -> Checking:
    """`passed` as a Soundness's. Raises NothingToCheck, and OSError where the root is missing."""
    storage = configuration.storage.driver
    if not isinstance(storage, Filesystem):
        raise NothingToCheck("only storage.filesystem is checked")
    driver = FilesystemDriver(storage.rootdirectory, storage.maxthreads)
    is_local = local_names(configuration.proxy)
    soundness = Soundness(driver, driver, lambda name: configuration.proxy.enabled and not is_local(name), passed)
    return Checking(soundness, Mending(driver), driver.close)
