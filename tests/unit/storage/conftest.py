"""Registries on each driver in turn, with the store under them in reach of the tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.driver import Driver
from entrepot.drivers.filesystem import FilesystemDriver
from entrepot.drivers.guarded import Guarded
from entrepot.drivers.memory import MemoryDriver
from entrepot.oci.names import RepositoryName
from entrepot.storage.local import LocalRegistry, LocalRepository
from entrepot.storage.validation import Rules

APP = RepositoryName.parse("library/app")


@pytest.fixture
def files(root: Path) -> Iterator[FilesystemDriver]:
    """A driver on files."""
    driver = FilesystemDriver(str(root))
    yield driver
    driver.close()


@pytest.fixture(params=["files", "memory"])
def driver(request: pytest.FixtureRequest) -> Driver:
    """An empty driver of each kind."""
    if request.param == "memory":
        return Guarded(MemoryDriver())
    found: Driver = request.getfixturevalue("files")
    return found


@pytest.fixture
def registry(driver: Driver) -> LocalRegistry:
    """A registry that takes everything valid, and streams large blobs through the driver."""
    return LocalRegistry(driver, None, Rules())


@pytest.fixture
def repository(registry: LocalRegistry) -> LocalRepository:
    """The repository as one worker sees it."""
    return registry.writer(APP)


@pytest.fixture
def elsewhere(driver: Driver) -> LocalRepository:
    """The same repository as another worker sees it: nothing but the store is shared."""
    return LocalRegistry(driver, None, Rules()).writer(APP)
