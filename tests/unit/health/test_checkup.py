"""Checks made again and again, and what they amount to."""

import asyncio
import os
from collections.abc import Iterable, Iterator

import pytest

from entrepot.health.checks import Failing
from entrepot.health.checkup import Checkup, Watched
from entrepot.health.state import HealthState


class Over(Exception):
    """The script has come to its end."""


class Script:
    """A check that fails or not as it is written."""

    def __init__(self, results: Iterable[bool]) -> None:
        self._results: Iterator[bool] = iter(results)

    async def check(self) -> None:
        if not next(self._results):
            raise Failing("it is broken")


async def seen(threshold: int, results: str) -> str:
    """What the state says before each further check; `.` is a check that passes, and a state in which all is well."""
    state, said = HealthState(), []

    async def sleep(seconds: float) -> None:
        assert seconds == 7.0
        assert state.is_failing == bool(state.failures())
        said.append("x" if state.failures() == {"thing": "it is broken"} else ".")
        if len(said) > len(results):
            raise Over

    script = Script(result == "." for result in results)
    with pytest.raises(ExceptionGroup):
        await Checkup([Watched("thing", script.check, 7.0, threshold)], state, sleep).run()
    return "".join(said)


@pytest.mark.parametrize(
    ("threshold", "results", "expected"),
    [
        (0, "..x.x", "...x.x"),
        (1, ".xx.", "..xx."),
        (3, "xx.xxx.", "......x."),
        (2, "xxxx..x", "..xxx..."),
    ],
)
async def test_a_check_counts_when_it_has_failed_often_enough_in_a_row(
    threshold: int, results: str, expected: str
) -> None:
    """All is well at first, and again after one that passes."""
    assert await seen(threshold, results) == expected


async def test_a_check_that_is_broken_has_failed() -> None:
    """Whatever it raises; the others go on."""
    state, rounds = HealthState(), [0]

    async def broken() -> None:
        raise UnicodeError("label empty or too long")

    async def sound() -> None:
        rounds[0] += 1

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(0)

    checkup = Checkup([Watched("broken", broken, 1.0, 0), Watched("sound", sound, 1.0, 0)], state, sleep)
    task = asyncio.create_task(checkup.run())
    while rounds[0] < 3:
        await asyncio.sleep(0)
    assert state.failures() == {"broken": "UnicodeError: label empty or too long"}
    task.cancel()
    await asyncio.wait({task})
    # A new run begins with what it finds itself.
    rounds[0] = 0
    task = asyncio.create_task(checkup.run())
    while not (rounds[0] and state.failures()):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})


async def test_checks_do_not_wait_for_each_other() -> None:
    """One that hangs says nothing of the others."""
    state = HealthState()

    async def hang() -> None:
        await asyncio.Event().wait()

    async def fail() -> None:
        raise Failing("no")

    checkup = Checkup([Watched("hangs", hang, 0.0, 0), Watched("fails", fail, 0.0, 0)], state)
    task = asyncio.create_task(checkup.run())
    try:
        async with asyncio.timeout(30):
            while not state.is_failing:
                await asyncio.sleep(0.001)
    finally:
        task.cancel()
    assert state.failures() == {"fails": "no"}


def test_other_processes_see_what_one_has_said() -> None:
    """In the memory that they share."""
    state = HealthState()
    child = os.fork()
    if child == 0:
        state.set({"a": "b", "c": "d" * 100_000})
        os._exit(0)
    os.waitpid(child, 0)
    assert state.is_failing
    assert state.failures() == {"a": "b", "c": "d" * 512}


def test_more_failures_than_there_is_room_for_are_still_failures() -> None:
    """As many as fit are told."""
    state = HealthState()
    state.set({f"check {number}": "x" * 600 for number in range(1000)})
    assert 50 < len(state.failures()) < 1000
    state.set({})
    assert not state.is_failing
    assert state.failures() == {}
