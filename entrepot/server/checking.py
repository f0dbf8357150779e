"""The check of a configuration's storage, put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from entrepot.config.drivers import Filesystem
from entrepot.config.root import Configuration
from entrepot.drivers.filesystem import FilesystemDriver
from entrepot.oci.names import RepositoryName
from entrepot.server.assemble import build_rules
from entrepot.server.mirroring import local_names
from entrepot.storage.intact import Contents
from entrepot.storage.mending import Mending
from entrepot.storage.soundness import Soundness


class NothingToCheck(Exception):
    """The storage is none that is checked here."""


class Checking(NamedTuple):
    """Both checks, what mends, and what closes their driver."""

    contents: Contents
    soundness: Soundness
    mending: Mending
    close: Callable[[], None]


def build_checking(configuration: Configuration, passed: Callable[[int], None]) -> Checking:
    """`passed` as of Contents. Raises NothingToCheck, and OSError where the root is missing."""
    storage = configuration.storage.driver
    if not isinstance(storage, Filesystem):
        raise NothingToCheck("only storage.filesystem is checked")
    driver = FilesystemDriver(storage.rootdirectory, storage.maxthreads)
    is_local = local_names(configuration.proxy)

    def is_cached(name: RepositoryName) -> bool:
        return configuration.proxy.enabled and not is_local(name)

    soundness = Soundness(driver, driver, is_cached, build_rules(configuration).needs)
    return Checking(Contents(driver, driver, passed), soundness, Mending(driver, driver), driver.close)
