"""How often somebody may fail."""

import pytest

from entrepot.auth.throttle import Throttle
from entrepot.oci.errors import TooManyRequests


def test_the_failures_of_a_minute_count() -> None:
    """From the first of them on; then it is as if there had been none."""
    now = 1000.0
    throttle = Throttle(lambda: now)
    for _ in range(9):
        throttle.failed("client", "alice")
    throttle.check("client", "alice")
    now += 59
    throttle.failed("client", "alice")
    with pytest.raises(TooManyRequests) as raised:
        throttle.check("client", "alice")
    assert raised.value.headers == (("retry-after", "1"),)
    throttle.check("client", "bob")
    throttle.check("other", "alice")

    now += 1
    throttle.check("client", "alice")
    throttle.failed("client", "alice")
    throttle.check("client", "alice")


def test_who_makes_up_names_does_not_fill_the_memory() -> None:
    """Some failures are forgotten instead."""
    throttle = Throttle(lambda: 1000.0)
    for number in range(25_000):
        throttle.failed("client", str(number))
    assert len(throttle._failures) <= 10_000
