"""What an upstream's answer says of itself, read with distrust."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.oci.digest import Digest
from entrepot.upstream.headers import (
    only_line,
    parse_digest,
    parse_length,
    parse_media_type,
    parse_served_range,
    parse_unserved_range,
    parse_wait,
)
from entrepot.wire.ranges import Span
from tests.unit.adversarial import in_linear_time, repeated

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["a"], "a"),
        ([" a b\t"], "a b"),
        ([""], ""),
        ([], None),
        (["a", "a"], None),
        (["a\r\nb"], None),
        (["a\x00"], None),
        (["a\x7f"], None),
        (["\u00e4"], None),
        (["a" * 8193], None),
    ],
)
def test_only_line(values: list[str], expected: str | None) -> None:
    """A header counts where it came once, of bounded length, in printable ASCII."""
    assert only_line(values) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", 0),
        ("007", 7),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", None),
        ("99999999999999999999", None),
        ("", None),
        (None, None),
        ("+5", None),
        ("-0", None),
        ("0x5", None),
        ("1_0", None),
        ("5 ", None),
        ("5, 5", None),
        ("1e3", None),
        ("\u0665", None),
    ],
)
def test_length(value: str | None, expected: int | None) -> None:
    """A length is digits only, below 2**63."""
    assert parse_length(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bytes 5-9/10", (Span(5, 10), 10)),
        ("bytes 5-9/*", (Span(5, 10), None)),
        ("bytes 0-0/1", (Span(0, 1), 1)),
        ("bytes 5-9/9", None),
        ("bytes 9-5/10", None),
        ("bytes */10", None),
        ("bytes 5-9", None),
        ("5-9/10", None),
        ("items 5-9/10", None),
        ("bytes  5-9/10", None),
        ("bytes +5-9/10", None),
        ("bytes 0-9999999999999999999/*", None),
        ("", None),
        (None, None),
    ],
)
def test_served_range(value: str | None, expected: object) -> None:
    """A 206 counts where its range is well-formed and lies within the whole."""
    assert parse_served_range(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [("bytes */10", 10), ("bytes */0", 0), ("bytes 0-1/10", None), ("*/10", None), (None, None)]
)
def test_unserved_range(value: str | None, expected: int | None) -> None:
    """A 416 tells the whole size."""
    assert parse_unserved_range(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.manifest.v1+json"),
        ("Application/Vnd.OCI.Image.Index.v1+JSON; charset=utf-8", "application/vnd.oci.image.index.v1+json"),
        ("text/html", "text/html"),
        ("application/json", None),
        ("application/octet-stream", None),
        ("text/plain; charset=utf-8", None),
        ("json", None),
        ("a/b/c", None),
        ("a/", None),
        ("", None),
        (None, None),
    ],
)
def test_media_type(value: str | None, expected: str | None) -> None:
    """Parameters are dropped, and types that say nothing count as none."""
    assert parse_media_type(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("5", 5),
        ("0", 1),
        ("60", 60),
        ("3600", 60),
        ("1000000000", 60),
        ("9" * 19, 5),
        ("-1", 5),
        ("soon", 5),
        ("", 5),
        (None, 5),
        ("Thu, 01 Jan 2026 00:00:30 GMT", 30),
        ("Thu, 01 Jan 2026 00:00:30 -0000", 30),
        ("Thu, 01 Jan 2015 00:00:30 GMT", 1),
        ("Thu, 01 Jan 9999 00:00:30 GMT", 60),
        ("Thu, 99 Jan 2026 00:00:30 GMT", 5),
        ("x" * 100_000, 5),
    ],
)
def test_wait(value: str | None, expected: int) -> None:
    """Retry-After as seconds or as a date is bounded by a minute; junk becomes a few seconds."""
    assert parse_wait(value, NOW) == expected


@given(st.none() | st.text())
def test_total(value: str | None) -> None:
    """Any value of any header is read without an error, and the wait stays sane."""
    assert isinstance(parse_length(value), int | None)
    assert isinstance(parse_digest(value), Digest | None)
    assert isinstance(parse_media_type(value), str | None)
    assert isinstance(parse_served_range(value), tuple | None)
    assert isinstance(parse_unserved_range(value), int | None)
    assert 1 <= parse_wait(value) <= 60


@given(st.from_regex(r"\Abytes [0-9]{1,19}-[0-9]{1,19}/([0-9]{1,19}|\*)\Z"))
def test_served_range_never_contradicts_itself(value: str) -> None:
    """Whatever numbers a 206 names, what counts is at least one byte within the whole."""
    served = parse_served_range(value)
    if served is not None:
        span, whole = served
        assert 0 <= span.start < span.stop <= (2**63 if whole is None else whole)


@pytest.mark.parametrize("text", repeated("bytes 0-", "0", "a/", " ", "-", "Thu, ", ";"), ids=len)
def test_linear(text: str) -> None:
    """A mebibyte is read in linear time."""
    with in_linear_time():
        assert only_line([text]) is None
        for parse in (parse_length, parse_digest, parse_served_range, parse_unserved_range, parse_media_type):
            assert parse(text) is None
        assert parse_wait(text) == 5
