"""The part of the driver's contract about names: list, stat, move, delete."""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress

import pytest

from entrepot.driver import Driver, PathNotFound


async def fill(driver: Driver, *paths: str) -> None:
    """Make a file at each of `paths` that holds its path; not durable, so that many take no time."""
    for path in paths:
        async with driver.writer(path) as file:
            await file.write([path.encode()])


class NameSuite:
    """Names are where they were put, in order, until they are moved or deleted."""

    async def test_presence_is_told_for_many_at_once(self, driver: Driver) -> None:
        """In the order asked for; a directory is no file, and what is below a file is not there."""
        await driver.put("/t/a/link", b"content")
        paths = ["/t/b/link", "/t/a/link", "/t/a", "/t/a/link/below"]

        assert list(await driver.present(paths)) == [False, True, False, False]
        assert list(await driver.present([])) == []
        await driver.delete("/t")

    async def test_the_root_can_always_be_listed(self, driver: Driver) -> None:
        """An empty store lists as empty, and its root is a directory, or nothing."""
        assert await driver.list("/") == []
        assert await driver.list("/", after="a", limit=5) == []
        with suppress(PathNotFound):
            assert (await driver.stat("/")).is_directory

    async def test_list_names_the_children(self, driver: Driver) -> None:
        """Direct children only, each once, by name, files and directories alike."""
        await fill(driver, "/t/a/1", "/t/a/2", "/t/b", "/t/c/d/e/f", "/t/c/d/g", "/tt/no", "/t-t/no")

        assert await driver.list("/t") == ["a", "b", "c"]
        assert await driver.list("/t/a") == ["1", "2"]
        assert await driver.list("/t/c") == ["d"]
        assert await driver.list("/") == ["t", "t-t", "tt"]
        for name in ("t", "tt", "t-t"):
            await driver.delete(f"/{name}")

    async def test_children_are_sorted_by_code_point(self, driver: Driver) -> None:
        """Names are ordered as names, not as the paths below them: `a` is before `a-b` although `/` is after `-`."""
        await fill(driver, "/t/a0", "/t/a/b", "/t/a.b", "/t/a-b/c", "/t/B", "/t/_", "/t/10", "/t/9")
        names = ["10", "9", "B", "_", "a", "a-b", "a.b", "a0"]

        assert names == await driver.list("/t")
        for index, name in enumerate(names):
            assert names[index + 1 :] == await driver.list("/t", after=name)
            assert names[index + 1 : index + 3] == await driver.list("/t", after=name, limit=2)
        await driver.delete("/t")

    async def test_many_children_are_listed_in_pages(self, driver: Driver) -> None:
        """More children than any page of any store: each is on exactly one page; `after` need not be one of them."""
        names = sorted(f"{number}-of-many" for number in range(1100))
        await fill(driver, *(f"/t/{name}" for name in names))
        pages: list[str] = []
        while page := await driver.list("/t", after=pages[-1] if pages else "", limit=300):
            assert len(page) <= 300
            pages += page

        assert names == pages == await driver.list("/t")
        assert names == await driver.list("/t", after="0", limit=5000)
        assert [name for name in names if name > "5"] == await driver.list("/t", after="5")
        assert [] == await driver.list("/t", limit=0) == await driver.list("/t", after="~", limit=3)
        await driver.delete("/t")

    async def test_names_that_look_temporary_are_names(self, driver: Driver) -> None:
        """What a client may call a tag or a repository is listed, whatever a driver calls its own files."""
        name = "11111111-2222-4333-8444-555555555555.tmp"
        await fill(driver, f"/t/{name}/current/link", "/t/v1.tmp/link", "/t/.hidden/link", "/t/x.tmp")

        assert [".hidden", name, "v1.tmp", "x.tmp"] == await driver.list("/t")
        await driver.delete("/t")

    async def test_listing_goes_on_while_names_vanish(self, driver: Driver) -> None:
        """A name that goes away during a listing is listed or not, and disturbs nobody."""
        names = [f"{number:03}" for number in range(200)]
        await fill(driver, *(f"/t/{name}" for name in names), "/t/stays")

        async def remove() -> None:
            for name in names:
                await driver.delete(f"/t/{name}")

        async def look() -> None:
            for _ in range(20):
                assert {"stays"} <= set(await driver.list("/t")) <= {*names, "stays"}

        await asyncio.gather(remove(), look())

        assert await driver.list("/t") == ["stays"]
        await driver.delete("/t")

    async def test_stat_tells_what_is_there(self, driver: Driver) -> None:
        """A file has its size and a time that does not go back; a directory has no size."""
        await driver.put("/t/directory/link", b"12345")
        before = await driver.stat("/t/directory/link")
        await driver.put("/t/directory/link", b"123")
        after = await driver.stat("/t/directory/link")
        directory = await driver.stat("/t/directory")

        assert (before.size, before.is_directory) == (5, False)
        assert (after.size, after.is_directory) == (3, False)
        assert 0 < before.modified <= after.modified
        assert (directory.size, directory.is_directory) == (0, True)
        assert math.isfinite(directory.modified)
        await driver.delete("/t")

    async def test_move_renames_a_file(self, driver: Driver) -> None:
        """The source is gone, the target is the file with all its bytes, in directories made for it."""
        await driver.put("/t/upload/data", b"content")
        await driver.move("/t/upload/data", "/t/blobs/sha256/aa/data")

        assert await driver.get("/t/blobs/sha256/aa/data") == b"content"
        for call in (driver.get, driver.stat):
            with pytest.raises(PathNotFound):
                await call("/t/upload/data")
        await driver.delete("/t")

    async def test_move_replaces_the_target(self, driver: Driver) -> None:
        """A file at the target is replaced as a whole, from wherever it is moved; onto itself is nothing."""
        await driver.put("/t/data", b"old and longer")
        for source in ("/t/new", "/t/other/new"):
            await driver.put(source, source.encode())
            await driver.move(source, "/t/data")
            assert source.encode() == await driver.get("/t/data")
        await driver.move("/t/data", "/t/data")

        assert await driver.get("/t/data") == b"/t/other/new"
        await driver.delete("/t")

    async def test_a_move_of_nothing_changes_nothing(self, driver: Driver) -> None:
        """Where the source is missing it is PathNotFound; the target keeps its content, or stays missing."""
        await driver.put("/t/data", b"content")
        for source in ("/t/missing", "/missing/too", "/t/data/below"):
            for target in ("/t/data", "/t/never/made"):
                with pytest.raises(PathNotFound):
                    await driver.move(source, target)

        assert await driver.get("/t/data") == b"content"
        assert await driver.list("/t") == ["data"]
        await driver.delete("/t")

    async def test_one_of_many_moves_a_file(self, driver: Driver) -> None:
        """Of several who move one file one succeeds; the others find nothing there."""
        await driver.put("/t/spool", b"content")
        results = await asyncio.gather(
            *(driver.move("/t/spool", f"/t/made/{number}/data") for number in range(8)), return_exceptions=True
        )
        winners = [number for number, result in enumerate(results) if result is None]

        assert len(winners) == 1
        assert all(isinstance(result, PathNotFound) for result in results if result is not None)
        assert await driver.get(f"/t/made/{winners[0]}/data") == b"content"
        await driver.delete("/t")

    async def test_delete_removes_a_file_and_no_other(self, driver: Driver) -> None:
        """A deleted file is gone, its neighbours and those whose names only begin like it are not."""
        await fill(driver, "/t/a", "/t/ab", "/t/a-b/c", "/t/a.b", "/t/b")
        await driver.delete("/t/a")

        with pytest.raises(PathNotFound):
            await driver.stat("/t/a")
        with pytest.raises(PathNotFound):
            await driver.delete("/t/a")
        assert await driver.list("/t") == ["a-b", "a.b", "ab", "b"]
        await driver.delete("/t")

    async def test_delete_removes_a_directory_with_all_in_it(self, driver: Driver) -> None:
        """Everything below goes, at any depth, and nothing beside it."""
        await fill(driver, "/t/a/1", "/t/a/b/c/d/2", "/t/a/b/3", "/t/ab/4", "/t/a-b/5")
        await driver.delete("/t/a")

        for path in ("/t/a", "/t/a/1", "/t/a/b", "/t/a/b/c/d/2"):
            with pytest.raises(PathNotFound):
                await driver.stat(path)
        assert await driver.get("/t/ab/4") == b"/t/ab/4"
        assert await driver.list("/t") == ["a-b", "ab"]
        await driver.delete("/t")

    async def test_several_may_delete_one_directory(self, driver: Driver) -> None:
        """Names that go away meanwhile do not matter: each of them succeeds, or finds it gone."""
        await fill(driver, *(f"/t/a/{number}/link" for number in range(50)))
        results = await asyncio.gather(*(driver.delete("/t/a") for _ in range(4)), return_exceptions=True)

        assert all(result is None or isinstance(result, PathNotFound) for result in results)
        assert None in results
        with pytest.raises(PathNotFound):
            await driver.stat("/t/a")
        await fill(driver, "/t/last")
        await driver.delete("/t")

    async def test_files_may_vanish_from_a_directory_that_is_deleted(self, driver: Driver) -> None:
        """Who deletes a directory succeeds though others delete files in it at the same time."""
        paths = [f"/t/a/{number}" for number in range(300)]
        await fill(driver, *paths, "/t/b")

        async def remove() -> None:
            for path in paths:
                with suppress(PathNotFound):
                    await driver.delete(path)

        await asyncio.gather(driver.delete("/t/a"), remove(), remove())

        assert await driver.list("/t") == ["b"]
        await driver.delete("/t")

    async def test_a_directory_can_be_made(self, driver: Driver) -> None:
        """Making one twice, or one that has children, is nothing; it is empty if the store has directories at all."""
        await driver.put("/t/full/link", b"")
        for path in ("/t/empty/below", "/t/empty/below", "/t/full"):
            await driver.make_directory(path)
        with suppress(PathNotFound):
            assert await driver.list("/t/empty/below") == []

        assert await driver.list("/t/full") == ["link"]
        await driver.delete("/t")
