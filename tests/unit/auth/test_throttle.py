"""Who has failed too often waits; nobody else does."""

import pytest

from entrepot.auth import throttle
from entrepot.auth.throttle import Throttle
from entrepot.oci.errors import TooManyRequests
from tests.unit.auth.clocks import Clock

FAILURES, PERIOD = throttle._FAILURES, throttle._PERIOD


def failed(clock: Clock, count: int = FAILURES) -> Throttle:
    """A throttle that has seen somebody fail so often."""
    made = Throttle(clock)
    for _ in range(count):
        made.check("192.0.2.1", "name")
        made.failed("192.0.2.1", "name")
    return made


def test_a_few_failures_are_nothing() -> None:
    """One less than too many."""
    failed(Clock(), FAILURES - 1).check("192.0.2.1", "name")


@pytest.mark.parametrize(("later", "wait"), [(0.0, "60"), (0.5, "60"), (1.0, "59"), (59.0, "1"), (59.9, "1")])
def test_too_many_are_refused_until_the_first_is_a_while_ago(later: float, wait: str) -> None:
    """The answer says how long, in whole seconds that are enough."""
    clock = Clock()
    made = failed(clock)
    clock.now += later

    with pytest.raises(TooManyRequests) as refused:
        made.check("192.0.2.1", "name")
    assert refused.value.headers == (("retry-after", wait),)

    clock.now += int(wait)
    made.check("192.0.2.1", "name")


def test_after_that_the_count_begins_anew() -> None:
    """One more failure does not lock anybody out again."""
    clock = Clock()
    made = failed(clock)
    clock.now += PERIOD
    made.failed("192.0.2.1", "name")

    made.check("192.0.2.1", "name")


@pytest.mark.parametrize(("client", "name"), [("192.0.2.2", "name"), ("192.0.2.1", "other"), ("", ""), ("name", "x")])
def test_others_are_not_touched(client: str, name: str) -> None:
    """Neither the same name from elsewhere, nor another name from there."""
    failed(Clock()).check(client, name)


def test_there_is_an_end_to_what_is_counted() -> None:
    """However many names are tried, and however long they are."""
    made = Throttle(Clock())
    for number in range(throttle._LARGEST + 10):
        made.failed("192.0.2.1", f"{number}" + "x" * 10_000)

    assert len(made._failures) <= throttle._LARGEST
    assert max(len(name) for _, name in made._failures) < 1000


def test_long_names_are_counted_as_others_are() -> None:
    """A name is not too long to be locked out."""
    made = Throttle(Clock())
    for _ in range(FAILURES):
        made.failed("192.0.2.1", "x" * 10_000)

    with pytest.raises(TooManyRequests):
        made.check("192.0.2.1", "x" * 10_000)
