"""Of a crowd so many are sent to at the same time, and nobody who is slow holds up the others."""

import asyncio
import time

from entrepot.mirror.turns import MOST, Turns

FOREVER = 3600.0


async def test_no_more_than_allowed_have_a_turn_at_the_same_time() -> None:
    turns, inside, most = Turns(2, FOREVER), 0, 0

    async def go() -> None:
        nonlocal inside, most
        async with turns.turn():
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(go() for _ in range(20)))
    assert most == 2


async def test_a_turn_that_lasts_too_long_is_over_for_the_others_only() -> None:
    turns, finish = Turns(1, 0.01), asyncio.Event()
    order = []

    async def go(name: str, until: asyncio.Event | None) -> None:
        async with turns.turn():
            order.append(f"{name} begins")
            if until is not None:
                await until.wait()
            order.append(f"{name} ends")

    slow = asyncio.create_task(go("slow", finish))
    await asyncio.sleep(0)
    await go("fast", None)
    finish.set()
    await slow
    assert order == ["slow begins", "fast begins", "fast ends", "slow ends"]


async def test_a_turn_that_comes_to_something_lasts_some_times_as_long() -> None:
    """So that no more are at it where everything is slow; but nobody waits for a whole slow download."""
    turns = Turns(1, 0.05, 0)
    begun = time.monotonic()
    async with turns.turn():
        async with asyncio.timeout(30):
            await turns.turn().__aenter__()
        assert time.monotonic() - begun >= 0.05 * MOST


async def test_a_turn_that_comes_to_nothing_any_more_is_over() -> None:
    """What was sent before does not count for ever."""
    turns = Turns(1, 0.001, 100)
    async with turns.turn() as moved:
        moved(1000)
        async with asyncio.timeout(30):
            await turns.turn().__aenter__()


async def test_a_turn_that_was_over_early_is_not_given_back_twice() -> None:
    turns = Turns(1, 0.01)
    async with turns.turn():
        await asyncio.sleep(0.05)
    async with turns.turn():
        second = asyncio.create_task(turns.turn().__aenter__())
        await asyncio.sleep(0)
        assert not second.done()
        second.cancel()


async def test_who_leaves_while_waiting_takes_no_turn() -> None:
    turns = Turns(1, FOREVER)
    async with turns.turn():
        waiting = asyncio.create_task(turns.turn().__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})
    async with asyncio.timeout(5), turns.turn():
        pass
