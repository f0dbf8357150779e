"""The part of the driver's contract about whole contents: put, get, read, and which paths there are at all."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from entrepot.driver import Driver, PathInvalid, PathNotFound
from entrepot.wire.ranges import Span

MIB = 1 << 20

VALID = (
    "/a /2 /aa /a.a /0-9/abcdefg /abcdefg/z.75 /abc/1.2.3.4.5-6_zyx/123.z/4 /docker/docker-registry /123.abc /abc./abc"
    " /.abc /a--b /a-.b /_.abc /Docker/docker-registry /Abc/Cba /a/.../b /..a/b.. " + "/" + "n" * 255
).split()
INVALID = (
    "", "/", "abc", "123.abc", "//bcd", "/abc_123/", "/a//b", "/..", "/../a", "/a/..", "/a/../b", "/.", "/a/./b",
    "/a/.", "/a b", "/a\n", "\n/a", "/a\0b", "/a\\b", "/a%2fb", "/a:b", "/é", "/\udc80", "/" + "n" * 256, "/a" * 3000,
)  # fmt: skip
CONTENTS = (b"", b"a", "cœur 日本語".encode(), b"\x80\x80\x80\x80", bytes(range(256)), b"\r\n\0" * 11)


def _shown(path: str) -> str:
    return ascii(path)[:50]


async def read_all(driver: Driver, path: str, span: Span) -> bytes:
    """The bytes of `span` in one piece."""
    return b"".join([piece async for piece in driver.read(path, span)])


class ContentSuite:
    """What was put is what is got, whole, by path."""

    @pytest.mark.parametrize("path", VALID, ids=_shown)
    async def test_every_shape_of_path_holds_content(self, driver: Driver, path: str) -> None:
        """A path of the grammar can be put, asked for, got and read, whatever its segments look like."""
        await driver.put(path, path.encode())

        assert path.encode() == await driver.get(path)
        assert path.encode() == await read_all(driver, path, Span(0, 1000))
        assert len(path) == (await driver.stat(path)).size
        await driver.delete("/" + path.split("/")[1])

    @pytest.mark.parametrize("path", INVALID, ids=_shown)
    async def test_other_paths_are_refused(self, driver: Driver, path: str) -> None:
        """A path outside the grammar is PathInvalid for everything that takes one; `/` can be listed and asked for."""
        for call in _calls(driver, path):
            with pytest.raises(PathInvalid):
                await call()
        if path != "/":
            for ask in (driver.stat, driver.list):
                with pytest.raises(PathInvalid):
                    await ask(path)

    @pytest.mark.parametrize("content", CONTENTS)
    async def test_content_is_exact(self, driver: Driver, content: bytes) -> None:
        """Bytes come back as they were, text or not."""
        await driver.put("/t/link", content)

        assert content == await driver.get("/t/link")
        assert content == await read_all(driver, "/t/link", Span(0, 1 << 40))
        await driver.delete("/t")

    async def test_content_is_replaced_as_a_whole(self, driver: Driver) -> None:
        """A shorter content leaves nothing of the longer one before, a longer one is not cut."""
        contents = [os.urandom(size) for size in (MIB, 1024, 0, 70_000, 3)]
        for content in contents:
            await driver.put("/t/link", content)

            assert content == await driver.get("/t/link")
            assert len(content) == (await driver.stat("/t/link")).size
        await driver.delete("/t")

    async def test_nothing_is_at_a_path_that_was_not_put(self, driver: Driver) -> None:
        """Asking for what is not there is PathNotFound; below a file there is nothing either."""
        await driver.put("/t/file", b"content")
        for path in ("/t/other", "/t/deep/below/other", "/t/file/below", "/t/fil", "/t/file0", "/other"):
            for call in (driver.get, driver.stat, driver.list, driver.delete):
                with pytest.raises(PathNotFound):
                    await call(path)
            for span in (Span(0, 10), Span(64, 70)):
                with pytest.raises(PathNotFound):
                    await read_all(driver, path, span)
            with pytest.raises(PathNotFound):
                async with driver.lock(path):
                    pass
        await driver.delete("/t")

    async def test_a_directory_has_no_content(self, driver: Driver) -> None:
        """What is only a prefix of other paths cannot be got, read or locked."""
        await driver.put("/t/directory/link", b"content")

        with pytest.raises(PathNotFound):
            await driver.get("/t/directory")
        with pytest.raises(PathNotFound):
            await read_all(driver, "/t/directory", Span(0, 1))
        with pytest.raises((PathNotFound, PathInvalid)):
            async with driver.lock("/t/directory"):
                pass
        await driver.delete("/t")

    async def test_get_refuses_what_is_not_small(self, driver: Driver) -> None:
        """`get` gives 8 MiB and refuses more, so that no blob is taken into memory by mistake."""
        async with driver.writer("/t/data") as file:
            await file.write([bytes(8 * MIB)])
            assert len(await driver.get("/t/data")) == 8 * MIB
            await file.write([b"1"])

        with pytest.raises(PathInvalid):
            await driver.get("/t/data")
        await driver.delete("/t")

    async def test_read_gives_the_span(self, driver: Driver) -> None:
        """Any part can be read; a span that reaches past the end gives what there is, one beyond it nothing."""
        content = os.urandom(96)
        await driver.put("/t/data", content)
        for start in (0, 1, 32, 64, 95, 96, 97, 1 << 40):
            for length in (0, 1, 32, 96, 1 << 40):
                assert content[start : start + length] == await read_all(driver, "/t/data", Span(start, start + length))
        await driver.delete("/t")

    async def test_a_large_content_is_read_in_pieces(self, driver: Driver) -> None:
        """A content longer than any buffer is exact, and no piece is larger than 4 MiB."""
        content = os.urandom(20 * MIB + 17)
        async with driver.writer("/t/data") as file:
            await file.write([content])
            await file.sync()

        pieces = [piece async for piece in driver.read("/t/data", Span(0, len(content)))]

        assert content == b"".join(pieces)
        assert max(map(len, pieces)) <= 4 * MIB
        assert content[MIB - 3 : 7 * MIB + 3] == await read_all(driver, "/t/data", Span(MIB - 3, 7 * MIB + 3))
        await driver.delete("/t")

    async def test_a_reader_may_stop_early(self, driver: Driver) -> None:
        """A reader that was closed before the end gives back what it held."""
        await driver.put("/t/data", bytes(5 * MIB))
        pieces = driver.read("/t/data", Span(0, 5 * MIB))
        assert set(await anext(pieces)) == {0}
        await pieces.aclose()

        assert [piece async for piece in pieces] == []
        await driver.delete("/t")

    async def test_a_reader_keeps_what_it_began_to_read(self, driver: Driver) -> None:
        """Replacing or deleting a file does not mix its bytes with others for who reads it: all old, or cut short."""
        old, new = b"o" * (3 * MIB), b"n" * (3 * MIB)
        changes: list[Callable[[], Awaitable[None]]] = [
            lambda: driver.put("/t/data", new),
            lambda: driver.delete("/t/data"),
        ]
        for change in changes:
            await driver.put("/t/data", old)
            pieces = driver.read("/t/data", Span(0, len(old)))
            seen = await anext(pieces)
            await change()
            async for piece in pieces:
                seen += piece

            assert old.startswith(seen)
        await driver.put("/t/data", b"")
        await driver.delete("/t")

    async def test_many_read_at_once(self, driver: Driver) -> None:
        """Readers of one file at random places do not disturb each other."""
        content = os.urandom(16 * MIB)
        await driver.put("/t/data", content)
        starts = [secrets.randbelow(len(content)) for _ in range(10)]
        spans = [Span(start, min(len(content), start + 3 * MIB)) for start in starts]

        results = await asyncio.gather(*(read_all(driver, "/t/data", span) for span in spans))

        assert [content[span.start : span.stop] for span in spans] == results
        await driver.delete("/t")

    async def test_who_gets_while_others_put_sees_one_whole_content(self, driver: Driver) -> None:
        """Of several contents put at one path at the same time a reader sees one, whole; the last one stays."""
        contents = [bytes([number]) * (1000 * number + 1) for number in range(1, 9)]
        await driver.put("/t/link", contents[0])
        seen: set[bytes] = set()

        async def look() -> None:
            for _ in range(50):
                seen.add(await driver.get("/t/link"))
                await asyncio.sleep(0)

        await asyncio.gather(look(), *(driver.put("/t/link", content) for content in contents), look())

        assert seen <= set(contents)
        assert await driver.get("/t/link") in contents
        assert await driver.list("/t") == ["link"]
        await driver.delete("/t")

    async def test_a_put_wins_against_who_removes_its_directory(self, driver: Driver) -> None:
        """Deleting a directory while something is put into it makes neither of them fail."""

        async def remove() -> None:
            with suppress(PathNotFound):
                await driver.delete("/t/tags/latest")

        for _ in range(10):
            await asyncio.gather(remove(), driver.put("/t/tags/latest/current/link", b"digest"), remove())
        await driver.put("/t/tags/latest/current/link", b"digest")

        assert await driver.get("/t/tags/latest/current/link") == b"digest"
        await driver.delete("/t")


def _calls(driver: Driver, path: str) -> list[Callable[[], Awaitable[object]]]:
    async def write() -> None:
        async with driver.writer(path):
            pass

    async def lock() -> None:
        async with driver.lock(path):
            pass

    async def read() -> None:
        await read_all(driver, path, Span(0, 1))

    return [
        lambda: driver.get(path),
        lambda: driver.put(path, b"content"),
        read,
        write,
        lambda: driver.move(path, "/t"),
        lambda: driver.move("/t", path),
        lambda: driver.delete(path),
        lambda: driver.make_directory(path),
        lock,
    ]
