"""One at a time, by a lock on a file; and questions asked once for all who want to know."""

import asyncio
import os
from pathlib import Path

import pytest

from entrepot.mirror.exclusive import exclusive
from entrepot.mirror.joining import Joining


async def test_one_holds_it_and_the_others_wait(tmp_path: Path) -> None:
    """Each is told whether it had to; nothing is left behind."""
    path = str(tmp_path / "turns" / "x")
    inside, most, waited = 0, 0, []

    async def work() -> None:
        nonlocal inside, most
        async with exclusive(path) as had_to_wait:
            waited.append(had_to_wait)
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.01)
            inside -= 1

    await asyncio.gather(*(work() for _ in range(5)))

    assert (most, waited) == (1, [False, True, True, True, True])
    assert os.listdir(tmp_path / "turns") == []


async def test_what_another_has_left_behind_is_taken(tmp_path: Path) -> None:
    """A process that was killed holds no lock."""
    path = tmp_path / "x"
    path.write_bytes(b"")

    async with exclusive(str(path)) as waited:
        assert not waited
    assert not path.exists()


async def test_where_no_lock_is_to_be_had_the_work_is_done_all_the_same(tmp_path: Path) -> None:
    """As on a disk that is full, or broken."""
    (tmp_path / "file").write_bytes(b"")

    async with exclusive(str(tmp_path / "file" / "x")) as waited:
        assert not waited


async def test_no_symlink_is_followed(tmp_path: Path) -> None:
    """A planted one makes no file elsewhere."""
    (tmp_path / "x").symlink_to(tmp_path / "elsewhere")

    async with exclusive(str(tmp_path / "x")):
        assert not (tmp_path / "elsewhere").exists()


async def test_a_question_is_asked_once_for_all_who_wait() -> None:
    """And again by who comes later."""
    asked = 0
    joining: Joining[str, int] = Joining()

    async def ask() -> int:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.01)
        return asked

    answers = [joining.ask("x", ask) for _ in range(3)]
    assert [joined for _, joined in answers] == [False, True, True]
    assert await asyncio.gather(*(task for task, _ in answers)) == [1, 1, 1]
    await asyncio.sleep(0)
    task, joined = joining.ask("x", ask)
    assert (joined, await task) == (False, 2)


async def test_a_question_that_fails_fails_for_all_who_wait() -> None:
    """And nobody needs to be there to hear of it."""
    joining: Joining[str, int] = Joining()

    async def ask() -> int:
        raise ValueError("no")

    first, _ = joining.ask("x", ask)
    second, _ = joining.ask("x", ask)
    assert first is second
    with pytest.raises(ValueError, match="no"):
        await first
    joining.ask("x", ask)
    await asyncio.sleep(0.01)
