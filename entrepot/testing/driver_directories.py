"""What stores with real directories promise besides: a name is that of a file or of a directory, never of both."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from entrepot.driver import Driver, PathInvalid


class DirectorySuite:
    """To be mixed into a subclass of `DriverSuite`."""

    async def test_nothing_can_be_below_a_file(self, driver: Driver) -> None:
        """Whatever would make a directory of a file is PathInvalid, and the file stays."""
        await driver.put("/t/file", b"content")
        await driver.put("/t/other", b"other")

        async def write() -> None:
            async with driver.writer("/t/file/below"):
                pass

        changes: list[Callable[[], Awaitable[None]]] = [
            write,
            lambda: driver.put("/t/file/below", b""),
            lambda: driver.put("/t/file/deep/below", b""),
            lambda: driver.move("/t/other", "/t/file/below"),
            lambda: driver.make_directory("/t/file"),
            lambda: driver.make_directory("/t/file/below"),
        ]
        for change in changes:
            with pytest.raises(PathInvalid):
                await change()

        assert await driver.get("/t/file") == b"content"
        assert await driver.get("/t/other") == b"other"
        await driver.delete("/t")

    async def test_a_directory_cannot_become_a_file(self, driver: Driver) -> None:
        """Nothing replaces, extends or renames a directory; what is in it stays."""
        await driver.put("/t/directory/link", b"content")
        await driver.put("/t/other", b"other")

        async def write() -> None:
            async with driver.writer("/t/directory"):
                pass

        changes: list[Callable[[], Awaitable[None]]] = [
            write,
            lambda: driver.put("/t/directory", b""),
            lambda: driver.move("/t/other", "/t/directory"),
            lambda: driver.move("/t/directory", "/t/elsewhere"),
        ]
        for change in changes:
            with pytest.raises(PathInvalid):
                await change()

        assert await driver.get("/t/directory/link") == b"content"
        assert await driver.list("/t") == ["directory", "other"]
        await driver.delete("/t")
