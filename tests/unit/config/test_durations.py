"""Go durations."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.config.durations import in_seconds, parse_duration
from entrepot.config.problems import Unfit

UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10s", 10.0),
        ("1h30m", 5400.0),
        ("168h", 604800.0),
        ("1.5h", 5400.0),
        (".5s", 0.5),
        ("1.s", 1.0),
        ("250ms", 0.25),
        ("3us", 3e-6),
        ("3µs", 3e-6),
        ("3μs", 3e-6),
        ("7ns", 7e-9),
        ("1m1s1ms", 61.001),
        ("-2s", -2.0),
        ("+2s", 2.0),
        ("0", 0.0),
        ("-0", 0.0),
        ("0s", 0.0),
        ("1s1h", 3601.0),
    ],
)
def test_a_go_duration_is_read_as_seconds(text: str, seconds: float) -> None:
    """What Go's time.ParseDuration takes is taken, and means the same."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10",
        "s",
        ".s",
        "1",
        "-",
        "+",
        "--1s",
        "1d",
        "1 s",
        " 1s",
        "1s ",
        "1S",
        "1e3s",
        "٣s",
        "1s2",
        "1..s",
        "9" * 65,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    """A number without a unit, a unit without a number and words are no durations."""
    with pytest.raises(Unfit, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["2562048h", "-2562048h", "9223372036854775808ns", "2562047h48m"])
def test_more_than_go_can_count_is_refused(text: str) -> None:
    """A duration is at most 2^63 - 1 nanoseconds, either way."""
    with pytest.raises(Unfit, match="longer than 292 years"):
        parse_duration(text)


def test_nanoseconds_become_seconds() -> None:
    """A bare number in a file is nanoseconds, as in Go."""
    assert in_seconds(1_500_000_000) == 1.5


@given(st.lists(st.tuples(st.integers(0, 10**5), st.sampled_from(sorted(UNITS))), min_size=1, max_size=4))
def test_parts_add_up(parts: list[tuple[int, str]]) -> None:
    """A duration of several parts is their sum."""
    text = "".join(f"{number}{unit}" for number, unit in parts)
    total = sum(number * UNITS[unit] for number, unit in parts)

    assert parse_duration(text) == in_seconds(total)


@given(st.text())
def test_any_text_is_a_duration_or_unfit(text: str) -> None:
    """No text raises anything but Unfit."""
    with suppress(Unfit):
        assert isinstance(parse_duration(text), float)
