"""Durations as Go's time.ParseDuration writes them: `10s`, `1h30m`, `1.5h`, `250ms`.

Periods, of settings that Distribution does not have, know days and weeks besides: `30d`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from entrepot.config.problems import Unfit

_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,  # U+00B5, micro sign
    "μs": 10**3,  # U+03BC, Greek letter mu
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_WITH_DAYS = {**_NANOSECONDS, "d": 24 * 3600 * 10**9, "w": 7 * 24 * 3600 * 10**9}
_PART = re.compile(r"([0-9]*)(?:\.([0-9]*))?(ns|us|µs|μs|ms|s|m|h|d|w)")
_MOST_NANOSECONDS = 2**63 - 1
_LONGEST = 64


def parse_duration(text: str) -> float:
    """Seconds. Raises Unfit unless `text` is a number and a unit, or several, of at most 292 years."""
    return _parse(text, _NANOSECONDS, "10s, 1h30m or 250ms")


def parse_period(text: str) -> float:
    """Seconds. As `parse_duration`, with `d` for 24 hours and `w` for 7 days."""
    return _parse(text, _WITH_DAYS, "10s, 1h30m or 30d")


def in_seconds(nanoseconds: int) -> float:
    """Seconds. Raises Unfit beyond 292 years, what a Go duration can hold."""
    if abs(nanoseconds) > _MOST_NANOSECONDS:
        raise Unfit("is longer than 292 years")
    return nanoseconds / 10**9


def _parse(text: str, units: Mapping[str, int], examples: str) -> float:
    unsigned = text[1:] if text[:1] in {"+", "-"} else text
    nanoseconds = 0 if unsigned == "0" else _sum(unsigned, units) if len(text) <= _LONGEST else None
    if nanoseconds is None:
        raise Unfit(f"{text[:_LONGEST]!r} is not a duration such as {examples}")
    return in_seconds(-nanoseconds if text[0] == "-" else nanoseconds)


def _sum(unsigned: str, units: Mapping[str, int]) -> int | None:
    """Nanoseconds, None where a part has no number or none of `units`, or where there is no part."""
    total, position = 0, 0
    while position < len(unsigned):
        part = _PART.match(unsigned, position)
        if part is None or not (part[1] or part[2]) or part[3] not in units:
            return None
        unit, fraction = units[part[3]], part[2] or "0"
        total += int(part[1] or "0") * unit + int(fraction) * unit // 10 ** len(fraction)
        position = part.end()
    return total if unsigned else None
