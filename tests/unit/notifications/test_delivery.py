"""Delivery: each endpoint in order, and how far it has come is known after an end of any kind."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from entrepot.notifications.delivery import Delivery, Endpoint, Unreachable
from entrepot.notifications.events import Event
from entrepot.notifications.outbox import Outbox
from entrepot.telemetry import SilentMeter

ENDPOINT = Endpoint("key", "name", "http://127.0.0.1:1", backoff=0.001, threshold=2)


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    """Two hundred and fifty events wait, which is more than are read at once."""
    made = Outbox(str(tmp_path / "outbox.db"))
    made.register([ENDPOINT.key])
    made.add([Event("push", "a/b", str(number)) for number in range(250)])
    return made


class Listener:
    """A `Post` that writes down what it takes; `answers` says how, or raises."""

    def __init__(self, answers: Callable[[int], int] = lambda _: 200) -> None:
        self.taken: list[int] = []
        self.asked = 0
        self._answers = answers

    async def __call__(self, endpoint: Endpoint, body: str) -> int:
        self.asked += 1
        status = self._answers(self.asked)
        if status < 300:
            self.taken.append(int(body))
        return status


async def deliver(outbox: Outbox, listener: Listener, until: Callable[[], bool]) -> None:
    """Run until it is so, then end it as the keeper is ended."""
    task = asyncio.create_task(Delivery(outbox, [ENDPOINT], listener, SilentMeter()).run())
    while not until():
        await asyncio.sleep(0)
        assert not task.done(), task.exception()
    task.cancel()
    await asyncio.wait({task})


def test_all_in_order(outbox: Outbox) -> None:
    """And nothing is left."""
    listener = Listener()
    asyncio.run(deliver(outbox, listener, lambda: outbox.pending(ENDPOINT.key) == 0))

    assert listener.taken == list(range(250))
    outbox.close()


def test_who_refuses_is_told_again(outbox: Outbox) -> None:
    """Until it takes each; so is who gives no answer."""

    def answers(number: int) -> int:
        if number % 7 == 0:
            raise Unreachable("no answer")
        return 500 if number % 3 else 202

    listener = Listener(answers)
    asyncio.run(deliver(outbox, listener, lambda: len(listener.taken) == 250))

    assert listener.taken == list(range(250))
    outbox.close()


@pytest.mark.parametrize("count", [1, 42, 100, 101, 249])
def test_what_was_taken_is_not_sent_again_after_an_end(outbox: Outbox, count: int) -> None:
    """Though it is not noted event by event."""
    first, second = Listener(), Listener()
    asyncio.run(deliver(outbox, first, lambda: len(first.taken) >= count))
    asyncio.run(deliver(outbox, second, lambda: len(first.taken) + len(second.taken) >= 250))

    assert first.taken + second.taken == list(range(250))
    outbox.close()


def test_a_file_that_is_taken_away_holds_up_nobody(outbox: Outbox, tmp_path: Path) -> None:
    """What comes into the next one is told, though delivery was begun with the one before."""
    other = Outbox(str(tmp_path / "outbox.db"))

    def is_told() -> bool:
        if len(listener.taken) == 250 and outbox.pending(ENDPOINT.key) == 0:
            for one in tmp_path.iterdir():
                one.unlink()
            other.add([Event("push", "a/b", "250")])
        return 250 in listener.taken

    listener = Listener()
    asyncio.run(deliver(outbox, listener, is_told))

    assert listener.taken == list(range(251))
    outbox.close()
    other.close()
