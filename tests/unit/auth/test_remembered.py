"""What was verified a moment ago."""

from entrepot.auth.base import Grant
from entrepot.auth.remembered import Remembered

GRANT = Grant("alice")


def test_a_grant_is_found_until_its_time() -> None:
    """By the very header it was given for, and the version it was given by."""
    now = 1000.0
    remembered = Remembered(lambda: now)
    remembered.keep("Basic a", 1, GRANT, 1010.0)

    assert remembered.find("Basic a", 1) == GRANT
    assert remembered.find("Basic a", 2) is None
    assert remembered.find("Basic b", 1) is None
    assert remembered.find("basic a", 1) is None
    now = 1010.0
    assert remembered.find("Basic a", 1) is None


def test_memory_is_bounded_and_holds_no_header() -> None:
    """However many come."""
    remembered = Remembered(lambda: 0.0)
    for number in range(25_000):
        remembered.keep(f"Basic planted-{number}", None, GRANT, 1.0)
    assert len(remembered._grants) <= 10_000
    assert "planted" not in repr(remembered._grants)
