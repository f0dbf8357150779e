"""Range, Content-Range and the registry's own ranges."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.wire.ranges import (
    Malformed,
    Span,
    Unsatisfiable,
    format_content_range,
    format_upload_range,
    parse_content_range,
    parse_range,
)
from tests.unit.adversarial import in_linear_time, outcome, repeated

SIZE = 2048

TABLE: list[tuple[str, object]] = [
    ("bytes=500-1499", Span(500, 1500)),
    ("bytes=500-", Span(500, SIZE)),
    ("bytes=-500", Span(SIZE - 500, SIZE)),
    ("bytes=0-0", Span(0, 1)),
    ("bytes=2000-5000", Span(2000, SIZE)),
    ("bytes=0-2048", Span(0, SIZE)),  # moby asks for one byte past the end
    ("bytes=-5000", Span(0, SIZE)),
    ("bytes=500-0", Unsatisfiable),
    ("bytes=2048-", Unsatisfiable),
    ("bytes=5000-10000", Unsatisfiable),
    ("bytes=-0", Unsatisfiable),
    ("bytes=999999999999999999-", Unsatisfiable),
    ("", None),
    ("bytes=", None),
    ("bytes=-", None),
    ("bytes=a-b", None),
    ("bytes=1.0-2", None),
    ("bytes=+1-2", None),
    ("bytes=0x1-0x2", None),
    ("bytes=1_0-20", None),
    ("bytes=\u0660-\u0665", None),
    ("bytes=²-³", None),
    ("bytes=0-1,5-6", None),
    ("items=0-1", None),
    ("bytes 0-1", None),
    ("0-1", None),
    ("bytes=9999999999999999999-", None),
]


@pytest.mark.parametrize(("header", "expected"), TABLE)
def test_range_table(header: str, expected: object) -> None:
    """Each form of Range selects what RFC 9110 says, or is ignored."""
    assert expected == outcome(lambda text: parse_range(text, SIZE), header, Unsatisfiable)


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=0-0", "bytes=-1"])
def test_nothing_of_nothing(header: str) -> None:
    """No range of an empty blob can be satisfied."""
    with pytest.raises(Unsatisfiable):
        parse_range(header, 0)


@given(st.text(), st.integers(0, 2**63))
def test_range_is_total(header: str, size: int) -> None:
    """Any header gives a part that lies within the content, nothing, or Unsatisfiable."""
    found = outcome(lambda text: parse_range(text, size), header, Unsatisfiable)

    assert found in (None, Unsatisfiable) or (isinstance(found, Span) and 0 <= found.start < found.stop <= size)


@given(st.from_regex(r"\Abytes=[0-9]{0,25}-[0-9]{0,25}\Z"), st.integers(0, 2**63))
def test_range_stays_within_the_content(header: str, size: int) -> None:
    """Whatever numbers are sent, what is selected lies within the content."""
    found = outcome(lambda text: parse_range(text, size), header, Unsatisfiable)

    assert found in (None, Unsatisfiable) or (isinstance(found, Span) and 0 <= found.start < found.stop <= size)


@given(st.integers(1, 10**18), st.data())
def test_range_is_the_one_asked_for(size: int, data: st.DataObject) -> None:
    """First and last byte within the content select exactly these bytes."""
    first = data.draw(st.integers(0, size - 1))
    last = data.draw(st.integers(first, size - 1))

    assert Span(first, last + 1) == parse_range(f"bytes={first}-{last}", size)
    assert Span(first, size) == parse_range(f"bytes={first}-", size)
    assert Span(size - 1 - first, size) == parse_range(f"bytes=-{first + 1}", size)


CONTENT_RANGES: list[tuple[str, object]] = [
    ("0-0", Span(0, 1)),
    ("10-19", Span(10, 20)),
    ("bytes 10-19/*", Span(10, 20)),
    ("bytes 10-19/20", Span(10, 20)),
    ("", Malformed),
    ("10", Malformed),
    ("10-", Malformed),
    ("-10", Malformed),
    ("20-10", Malformed),
    ("+1-2", Malformed),
    ("1 - 2", Malformed),
    ("\u0660-\u0665", Malformed),
    ("0-1\n", Malformed),
    ("items 0-1", Malformed),
    ("1-9999999999999999999", Malformed),
]


@pytest.mark.parametrize(("header", "expected"), CONTENT_RANGES)
def test_content_range_table(header: str, expected: object) -> None:
    """An upload's Content-Range is inclusive, with or without a unit, and nothing else."""
    assert expected == outcome(parse_content_range, header, Malformed)


@given(st.text())
def test_content_range_is_total(header: str) -> None:
    """Any header gives a part of at least one byte, or Malformed."""
    found = outcome(parse_content_range, header, Malformed)

    assert found is Malformed or (isinstance(found, Span) and 0 <= found.start < found.stop and len(found) > 0)


@given(st.from_regex(r"\A[0-9]{1,25}-[0-9]{1,25}\Z"))
def test_content_range_always_has_a_length(header: str) -> None:
    """Whatever numbers are sent, the length of what they name can be taken."""
    found = outcome(parse_content_range, header, Malformed)

    assert found is Malformed or (isinstance(found, Span) and len(found) == found.stop - found.start > 0)


@given(st.integers(0, 10**17), st.integers(1, 10**17))
def test_content_range_written_and_read_back(start: int, length: int) -> None:
    """What a 206 says is what an upload would read."""
    span = Span(start, start + length)

    assert span == parse_content_range(format_content_range(span, span.stop))
    assert length == len(span)


def test_upload_range_of_nothing() -> None:
    """An empty upload is written as `0-0`, as is one of a single byte."""
    assert format_upload_range(0) == "0-0"
    assert format_upload_range(1) == "0-0"
    assert format_upload_range(100) == "0-99"


@pytest.mark.parametrize("text", repeated("bytes=", "0", "0-", "-", " ", "0-0,", "bytes 0-0/"), ids=len)
def test_linear(text: str) -> None:
    """A mebibyte is refused in linear time."""
    with in_linear_time():
        assert parse_range(text, SIZE) is None
        assert Malformed is outcome(parse_content_range, text, Malformed)
