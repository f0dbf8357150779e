"""Waiting for what comes sooner or later, without a guess at how soon."""

import time
from collections.abc import Callable

LIMIT = 60.0
"""Met only where it never comes."""


def wait_until(true: Callable[[], bool]) -> None:
    """Return once it is true; fail when that never happens."""
    deadline = time.monotonic() + LIMIT
    while not true():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.01)
