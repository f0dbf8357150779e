"""By whom a request has come (`Via`, RFC 9110 §7.6.3), so that one that comes back to where it has been is known.

What is asked of others for a request carries its chain, whatever tasks do the asking. Pure, no I/O.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from contextvars import ContextVar

_MOST_HOPS = 16
_LONGEST = 2048

_chain: ContextVar[str] = ContextVar("chain", default="")


class Looping(Exception):
    """The request has been here before, or has come through too many."""


class Hop:
    """One server among those that a request may come through; `name` is the same in all its processes."""

    def __init__(self, name: str) -> None:
        self._name = name

    def enter(self, lines: Iterable[str]) -> None:
        """Note by whom the request of this task has come. Raises Looping."""
        arrived = ", ".join(lines)
        hops = [hop.split() for hop in arrived.split(",", _MOST_HOPS)] if arrived else []
        if len(arrived) > _LONGEST or len(hops) > _MOST_HOPS:
            raise Looping("the request has come through too many servers")
        if any(self._name in hop for hop in hops):
            raise Looping("the request has come back to where it has been")
        own = f"1.1 {self._name}"
        _chain.set(f"{arrived}, {own}" if arrived else own)


def passed_on() -> str:
    """What the header says of what is asked for the request of this task; empty where it is for none."""
    return _chain.get()


def new_name() -> str:
    """A name that no other server has."""
    return f"entrepot-{secrets.token_hex(8)}"
