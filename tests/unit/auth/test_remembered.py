"""What was verified is not verified again for a while, and nothing of it can be read from memory."""

import pytest

from entrepot.auth import remembered
from entrepot.auth.base import Grant
from entrepot.auth.remembered import Remembered
from tests.unit.auth.clocks import Clock

HEADER = "Basic bmFtZTpwbGFudGVk"
GRANT = Grant("name")


@pytest.mark.parametrize(("at", "is_found"), [(0.0, True), (9.9, True), (10.0, False), (1e9, False)])
def test_a_grant_counts_until_its_time(at: float, is_found: bool) -> None:
    """And not a moment longer."""
    clock = Clock(0.0)
    known = Remembered(clock)
    known.keep(HEADER, 1, GRANT, 10.0)

    clock.now = at

    assert known.find(HEADER, 1) == (GRANT if is_found else None)


@pytest.mark.parametrize("until", [float("nan"), float("-inf"), -1.0])
def test_what_has_ended_is_never_found(until: float) -> None:
    """Nor what ends at no time at all."""
    known = Remembered(Clock(0.0))
    known.keep(HEADER, 1, GRANT, until)

    assert known.find(HEADER, 1) is None


@pytest.mark.parametrize("other", ["", "Basic", HEADER + " ", HEADER.lower(), HEADER[:-1], "Bearer x", "\udcff", "é"])
def test_only_the_same_header_is_known(other: str) -> None:
    """To the letter."""
    known = Remembered(Clock(0.0))
    known.keep(HEADER, 1, GRANT, 10.0)

    assert known.find(other, 1) is None


def test_what_another_version_granted_counts_no_more() -> None:
    """Until it is granted by the present one."""
    known = Remembered(Clock(0.0))
    known.keep(HEADER, 1, GRANT, 10.0)

    assert known.find(HEADER, 2) is None
    assert known.find(HEADER, None) is None

    known.keep(HEADER, 2, GRANT, 10.0)
    assert known.find(HEADER, 2) == GRANT


def test_the_header_is_not_kept() -> None:
    """And what is kept instead is another thing in each process."""
    first, second = Remembered(Clock(0.0)), Remembered(Clock(0.0))
    for known in (first, second):
        known.keep(HEADER, 1, GRANT, 10.0)

    assert "planted" not in repr(vars(first))
    assert HEADER not in repr(vars(first))
    assert set(first._grants).isdisjoint(second._grants)


def test_there_is_an_end_to_what_is_kept() -> None:
    """However many headers come, and the last one is always known."""
    known = Remembered(Clock(0.0))
    for number in range(remembered._LARGEST * 2 + 10):
        known.keep(str(number), 1, GRANT, 10.0)
        assert known.find(str(number), 1) == GRANT

    assert len(known._grants) <= remembered._LARGEST
