"""Any call of the driver may fail, once or from then on: the store stays sound, and the client's next try succeeds."""

import asyncio
import errno
import itertools
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from entrepot.driver import Driver, NoSpace
from entrepot.drivers.filesystem import FilesystemDriver
from entrepot.drivers.memory import MemoryDriver
from entrepot.storage.local import LocalRegistry
from entrepot.storage.validation import Rules
from tests.crash.layout_check import check
from tests.unit.storage.failing import Departure, Failing, Fault
from tests.unit.storage.operations import OPERATIONS, Operation
from tests.unit.storage.scenes import prepare_witness, verify_witness


def full() -> Exception:
    """No room."""
    return NoSpace("no space left on device")


def broken() -> Exception:
    """A disk that fails."""
    return OSError(errno.EIO, "input/output error")


KINDS: dict[str, Callable[[int], Fault]] = {
    "full once": lambda number: Fault(full, number, lasts=False, late=False),
    "full from then on": lambda number: Fault(full, number, lasts=True, late=False),
    "broken once": lambda number: Fault(broken, number, lasts=False, late=False),
    "broken from then on": lambda number: Fault(broken, number, lasts=True, late=False),
    # As where a directory can not be synced after the name in it has changed.
    "broken once, after the effect": lambda number: Fault(broken, number, lasts=False, late=True),
    "broken from then on, after the effect": lambda number: Fault(broken, number, lasts=True, late=True),
}


class Judge:
    """Asks a checker that shares no code with the store; once for each state, of which there are few."""

    def __init__(self) -> None:
        self._known: dict[frozenset[tuple[str, bytes]], list[str]] = {}

    async def problems(self, driver: Driver, root: Path) -> list[str]:
        """What in the store contradicts itself."""
        files = {path: content async for path, content in everything(driver, "/docker")}
        state = frozenset(files.items())
        if state not in self._known:
            for path, content in files.items():
                (root / path[1:]).parent.mkdir(parents=True, exist_ok=True)
                (root / path[1:]).write_bytes(content)
            self._known[state] = [problem.replace(str(root), "") for problem in check(root)]
            shutil.rmtree(root / "docker")
        return self._known[state]


@pytest.fixture(scope="module")
def judge() -> Judge:
    """Remembers what it was asked by all tests here."""
    return Judge()


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
async def test_no_failing_call_harms_the_store(
    operation: Operation, kind: Callable[[int], Fault], judge: Judge, root: Path
) -> None:
    """For each call of the operation in turn, until it gets through untouched."""
    for number in itertools.count(1):
        fault = kind(number)
        await run_once(operation, MemoryDriver(), fault, judge, root)
        if not fault.struck:
            break

    assert number > 1


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
async def test_no_failing_call_harms_a_store_of_files(operation: Operation, judge: Judge, root: Path) -> None:
    """The same on files, for the failure after which nothing works any more, not even cleaning up."""
    for number in itertools.count(1):
        fault = KINDS["broken from then on"](number)
        driver = FilesystemDriver(str(root / str(number)))
        driver.check()
        await run_once(operation, driver, fault, judge, root)
        driver.close()
        if not fault.struck:
            break

    assert number > 1


@pytest.mark.parametrize("late", [False, True], ids=["before its effect", "after its effect"])
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
async def test_no_departure_harms_the_store(operation: Operation, late: bool, judge: Judge, root: Path) -> None:
    """A request may be cancelled at any call; whoever asks again finds a store that is sound, and gets through."""
    for number in itertools.count(1):
        fault = Departure(number, late=late)
        driver = FilesystemDriver(str(root / str(number)))
        driver.check()
        await run_once(operation, driver, fault, judge, root)
        driver.close()
        if not fault.struck:
            break

    assert number > 1


async def run_once(operation: Operation, driver: Driver, fault: Fault, judge: Judge, root: Path) -> None:
    """One life of a store: filled, struck in the middle of the operation, looked at, and tried again."""
    sound = LocalRegistry(driver, None, Rules())
    await prepare_witness(sound)
    await operation.prepare(sound)
    before = await judge.problems(driver, root)
    struck = LocalRegistry(Failing(driver, fault), None, Rules())
    act = asyncio.ensure_future(operation.act(struck))
    if isinstance(fault, Departure):
        fault.task = act
    await asyncio.wait({act})
    fault.heal()
    done = not act.cancelled() and act.exception() is None
    assert done or act.cancelled() or isinstance(act.exception(), NoSpace | OSError)

    assert set(await judge.problems(driver, root)) <= set(before)
    if not done:
        await operation.act(struck)
    await operation.verify(sound)
    await verify_witness(sound)
    assert await judge.problems(driver, root) == []


async def everything(driver: Driver, path: str) -> AsyncIterator[tuple[str, bytes]]:
    """All files below a path."""
    for name in await driver.list(path):
        below = f"{path}/{name}"
        if not (await driver.stat(below)).is_directory:
            yield below, await driver.get(below)
            continue
        async for found in everything(driver, below):
            yield found
