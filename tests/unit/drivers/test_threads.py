"""Work on threads is finished before its task ends."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from entrepot.drivers.filesystem import FilesystemDriver
from entrepot.drivers.threads import Threads


async def test_results_and_errors_come_back() -> None:
    """A function's result is returned, its exception raised."""
    threads = Threads(2)

    assert await threads.run(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await threads.run(divmod, 1, 0)
    threads.close()


@pytest.mark.parametrize("fails", [False, True])
async def test_a_cancellation_waits_for_the_thread(*, fails: bool) -> None:
    """However often its task is cancelled, a function that has begun returns first; then the cancellation goes on."""
    threads = Threads(1)
    begun, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go_on.wait(30)
        done.set()
        if fails:
            raise ZeroDivisionError

    task = asyncio.create_task(threads.run(work))
    while not begun.is_set():
        await asyncio.sleep(0)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert done.is_set()
    threads.close()


async def test_what_waits_for_a_thread_is_done_though_its_task_was_cancelled() -> None:
    """A file that is to be closed is closed, even where its task is cancelled before a thread is free."""
    threads = Threads(1)
    go_on, closed = threading.Event(), threading.Event()
    first = asyncio.create_task(threads.run(go_on.wait, 30))
    second = asyncio.create_task(threads.run(closed.set))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.sleep(0)
    go_on.set()
    results = await asyncio.gather(first, second, return_exceptions=True)

    assert results[0] is True
    assert isinstance(results[1], asyncio.CancelledError)
    assert closed.is_set()
    threads.close()


async def test_threads_are_made_on_first_use_and_bounded() -> None:
    """No thread starts before the first use, no more run than allowed, and none is left after closing."""
    before = threading.active_count()
    threads = Threads(3)
    assert threading.active_count() == before
    running = 0
    most = 0
    guard = threading.Lock()
    full = threading.Barrier(3)

    def work() -> None:
        nonlocal running, most
        with guard:
            running += 1
            most = max(most, running)
        full.wait(30)
        with guard:
            running -= 1

    await asyncio.gather(*(threads.run(work) for _ in range(9)))
    threads.close()
    threads.close()

    assert most == 3
    assert threading.active_count() == before


async def test_what_hangs_holds_up_nobody_who_needs_no_thread(tmp_path: Path) -> None:
    """All threads wait for a disk: known small files are read all the same, and the rest is done when it is back."""
    driver = FilesystemDriver(str(tmp_path))
    await driver.put("/a", b"small")
    while driver.at_once("/a") is None:
        await driver.get("/a")
        await asyncio.sleep(0.01)
    disk = threading.Event()
    stuck = [asyncio.create_task(driver._threads.run(disk.wait, 60)) for _ in range(200)]
    await asyncio.sleep(0)

    waiting = asyncio.create_task(driver.put("/b", b"later"))
    assert await driver.get("/a") == b"small"
    assert (await driver.stat("/a")).size == 5
    assert not waiting.done()
    assert threading.active_count() < 200

    disk.set()
    await asyncio.gather(*stuck, waiting)
    assert await driver.get("/b") == b"later"
    driver.close()
