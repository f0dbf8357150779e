"""The contract of a driver, as tests for any of them. Needs pytest and pytest-asyncio. Used so:

    class TestMine(DriverSuite):
        @pytest.fixture
        def driver(self, tmp_path: Path) -> Driver:
            return MyDriver(tmp_path)

A store with real directories, where one name cannot be both a file and a directory, adds `DirectorySuite`. Every test
ends with a look at what is left: a name in the store, or whatever `leftovers` finds outside the port, fails it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

import pytest
import pytest_asyncio

from entrepot.driver import Driver, PathNotFound
from entrepot.testing.driver_contents import ContentSuite
from entrepot.testing.driver_directories import DirectorySuite
from entrepot.testing.driver_names import NameSuite
from entrepot.testing.driver_writers import WriterSuite

__all__ = ["DirectorySuite", "DriverSuite"]


class DriverSuite(ContentSuite, WriterSuite, NameSuite):
    """All tests of the contract. The subclass gives the fixture `driver`: an empty driver, closed afterwards."""

    pytestmark = pytest.mark.asyncio

    def leftovers(self, driver: Driver) -> Sequence[str]:
        """What lies in the store of `driver` that the port does not show: temporary files, open descriptors."""
        del driver
        return ()

    @pytest_asyncio.fixture(autouse=True)
    async def leaves_nothing(self, driver: Driver) -> AsyncIterator[None]:
        """Fail the test that leaves something behind."""
        yield
        left = [*self.leftovers(driver), *await driver.list("/")]
        with suppress(PathNotFound):
            for name in await driver.list("/"):
                await driver.delete(f"/{name}")

        assert left == []
