"""The supervisor's loop: whatever comes while it is busy is not lost."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from granian.constants import Interfaces

from entrepot.server.listener import Address
from entrepot.server.patience import Patience
from entrepot.server.supervisor import Supervisor

UNASKED, SIGNAL = Supervisor.look_again, Supervisor.signal_handler_reload


def made(renew: Callable[[bool], bool]) -> Any:
    """One that has no workers, and does nothing beside them."""
    address = Address("127.0.0.1", 1)
    return Supervisor(address, Patience(), lambda: None, lambda: False, renew, interface=Interfaces.RSGI)


class Interrupting(threading.Event):
    """An event that is set, once, right before it is cleared: so may a signal come at any moment."""

    def __init__(self) -> None:
        super().__init__()
        self.act: Callable[[], None] | None = None

    def clear(self) -> None:
        act, self.act = self.act, None
        if act is not None:
            act()
        super().clear()


class Ended:
    """A worker that has ended by itself."""

    pid = exitcode = 1
    birth = 0.0

    @property
    def inner(self) -> "Ended":
        return self

    def is_alive(self) -> bool:
        return False

    def start(self) -> None:
        """It has ended."""

    def terminate(self) -> None:
        """It has ended."""

    def join(self, timeout: float | None = None) -> None:
        """It has ended."""


def test_a_signal_to_stop_that_comes_while_a_worker_is_replaced() -> None:
    """The loop has just looked for it."""
    supervisor = made(lambda _: False)
    supervisor.main_loop_interrupt = interrupt = Interrupting()
    interrupt.act = supervisor.signal_handler_interrupt
    supervisor.interrupt_children.append(0)
    supervisor.respawn_failed_workers = True
    supervisor.wrks = [Ended()]
    supervisor._spawn_worker = lambda *_, **__: Ended()
    interrupt.set()
    supervisor._serve_loop(None, None)


def test_a_reload_that_comes_while_another_begins() -> None:
    """It is done after it."""
    seen: list[bool] = []

    def renew(is_asked: bool) -> bool:
        seen.append(is_asked)
        if len(seen) == 2:
            supervisor.signal_handler_interrupt()
        return False

    supervisor = made(renew)
    supervisor.main_loop_interrupt = interrupt = Interrupting()
    interrupt.act = supervisor.signal_handler_reload
    supervisor.signal_handler_reload()
    supervisor._serve_loop(None, None)

    assert len(seen) == 2


@pytest.mark.parametrize(
    ("events", "asked"),
    [
        ([UNASKED], False),
        ([SIGNAL], True),
        ([UNASKED, SIGNAL], True),
        ([SIGNAL, UNASKED], True),
    ],
)
def test_a_signal_always_asks(events: Sequence[Callable[[Supervisor], None]], asked: bool) -> None:
    """For the configuration to be read, whatever came with it; for what comes later it says nothing."""
    seen: list[bool] = []

    def renew(is_asked: bool) -> bool:
        seen.append(is_asked)
        if len(seen) == 1:
            supervisor.look_again()
        else:
            supervisor.signal_handler_interrupt()
        return False

    supervisor = made(renew)
    for event in events:
        event(supervisor)
    supervisor._serve_loop(None, None)

    assert seen == [asked, False]
