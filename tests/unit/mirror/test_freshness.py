"""How old an answer may be: before it is confirmed, and when nobody confirms it."""

import re

import pytest

from entrepot.mirror.absences import Absences
from entrepot.mirror.freshness import Freshness, Rule
from entrepot.oci.names import RepositoryName, Tag

RULES = [Rule(re.compile(r"^v?\d+\.\d+\.\d+$"), 86400.0), Rule(re.compile("^nightly"), 60.0)]
APP = RepositoryName("app")


@pytest.mark.parametrize(
    ("tag", "age", "fresh"),
    [
        ("v1.2.3", 86399.0, True),
        ("v1.2.3", 86400.0, False),
        ("nightly-1", 59.0, True),
        ("nightly-1", 61.0, False),
        ("latest", 4.0, True),
        ("latest", 5.0, False),
        ("latest", None, False),
        ("v1.2.3", -1.0, False),
    ],
)
def test_the_first_rule_that_matches_counts(tag: str, age: float | None, fresh: bool) -> None:
    """Else the default; a confirmation from the future is none."""
    assert Freshness(5.0, RULES).is_fresh(Tag(tag), age) is fresh


def test_nothing_stays_fresh_by_default() -> None:
    """Every pull by tag is confirmed, as Distribution does."""
    assert not Freshness().is_fresh(Tag("latest"), 0.0)


@pytest.mark.parametrize(
    ("stale", "age", "served"),
    [(10.0, 10.0, True), (10.0, 11.0, False), (10.0, None, True), (0.0, 0.0, False), (0.0, None, False)],
)
def test_what_is_unconfirmed_is_served_for_a_time(stale: float, age: float | None, served: bool) -> None:
    """What nobody remembers is served; with 0 nothing is."""
    assert Freshness(stale=stale).may_be_stale(age) is served


def test_an_absence_is_remembered_for_seconds() -> None:
    """Of that reference, in that repository; each time it is told, anew."""
    now = [0.0]
    absences = Absences(lambda: now[0], period=5.0)
    absences.note(APP, Tag("latest"))

    assert absences.holds(APP, Tag("latest"))
    assert not absences.holds(APP, Tag("v1"))
    assert not absences.holds(RepositoryName("other"), Tag("latest"))
    now[0] = 4.0
    absences.note(APP, Tag("latest"))
    now[0] = 8.9
    assert absences.holds(APP, Tag("latest"))
    now[0] = 9.0
    assert not absences.holds(APP, Tag("latest"))


def test_absences_are_bounded() -> None:
    """The oldest are forgotten first."""
    absences = Absences(lambda: 0.0)
    for number in range(20_000):
        absences.note(APP, Tag(f"t{number}"))

    assert not absences.holds(APP, Tag("t0"))
    assert absences.holds(APP, Tag("t19999"))
    assert sum(absences.holds(APP, Tag(f"t{number}")) for number in range(20_000)) == 10_000
