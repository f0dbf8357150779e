"""What an upstream's answer says of itself, read with distrust: every value is a bounded, printable line or nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from entrepot.oci.digest import Digest
from entrepot.oci.errors import DigestInvalid
from entrepot.wire.ranges import Span

_LONGEST_VALUE = 8192
_LENGTH = re.compile(r"[0-9]{1,19}")
_SERVED_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")
_NOTHING_SERVED = re.compile(r"bytes \*/([0-9]{1,18})")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}")
_GENERIC_TYPES = frozenset({"application/json", "application/octet-stream", "binary/octet-stream", "text/plain"})

SHORTEST_WAIT = 1
LONGEST_WAIT = 60
DEFAULT_WAIT = 5


def only_line(values: Sequence[str]) -> str | None:
    """The value of a header that was sent once, in printable ASCII; None where it is missing or anything else."""
    if len(values) != 1 or len(values[0]) > _LONGEST_VALUE:
        return None
    value = values[0].strip(" \t")
    return value if value.isascii() and value.isprintable() else None


def parse_length(value: str | None) -> int | None:
    """Content-Length: digits only, below 2**63."""
    if value is None or _LENGTH.fullmatch(value) is None or int(value) >= 2**63:
        return None
    return int(value)


def parse_digest(value: str | None) -> Digest | None:
    """Docker-Content-Digest; an algorithm we do not know counts as none."""
    try:
        return Digest.parse(value or "")
    except DigestInvalid:
        return None


def parse_served_range(value: str | None) -> tuple[Span, int | None] | None:
    """A 206's Content-Range: what was sent, and the whole size or None for `*`; None where they contradict."""
    match = _SERVED_RANGE.fullmatch(value or "")
    if match is None:
        return None
    start, stop = int(match[1]), int(match[2]) + 1
    total = None if match[3] == "*" else int(match[3])
    return (Span(start, stop), total) if start < stop and (total is None or stop <= total) else None


def parse_unserved_range(value: str | None) -> int | None:
    """A 416's Content-Range, `bytes */size`: the whole size."""
    match = _NOTHING_SERVED.fullmatch(value or "")
    return None if match is None else parse_length(match[1])


def parse_media_type(value: str | None) -> str | None:
    """Content-Type without parameters, in lower case; None where it is missing, malformed or says nothing."""
    essence = (value or "").partition(";")[0].strip().lower()
    return essence if _MEDIA_TYPE.fullmatch(essence) and essence not in _GENERIC_TYPES else None


def parse_wait(value: str | None, now: datetime | None = None) -> int:
    """Retry-After in seconds, at least one and at most a minute (RFC 9110 §10.2.3): asking again then costs little.

    A date becomes the seconds until then; nothing, or anything else, becomes a few seconds.
    """
    wait = parse_length(value)
    if wait is None and value is not None:
        wait = _seconds_until(value, now or datetime.now(UTC))
    return DEFAULT_WAIT if wait is None else min(max(wait, SHORTEST_WAIT), LONGEST_WAIT)


def _seconds_until(date: str, now: datetime) -> int | None:
    try:
        then = parsedate_to_datetime(date[:64])
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return int(((then if then.tzinfo else then.replace(tzinfo=UTC)) - now).total_seconds())
