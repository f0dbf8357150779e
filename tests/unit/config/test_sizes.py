"""Sizes and shares."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.config.problems import Unfit
from entrepot.config.sizes import Share, parse_share, parse_size

UNITS = {"": 1, "B": 1, "kB": 10**3, "KB": 10**3}
UNITS |= {f"{letter}B": 1000**power for power, letter in enumerate("MGTP", 2)}
UNITS |= {f"{letter}iB": 1024**power for power, letter in enumerate("KMGTP", 1)}


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("200GiB", 200 * 2**30),
        ("10MB", 10_000_000),
        ("10 MB", 10_000_000),
        ("4096", 4096),
        ("0", 0),
        ("0GiB", 0),
        ("0.0GiB", 0),
        ("7B", 7),
        ("1.5TiB", 3 * 2**39),
        ("0.001kB", 1),
        ("1.0009kB", 1000),
        ("9223372036854775807", 2**63 - 1),
    ],
)
def test_a_size_is_bytes(text: str, size: int) -> None:
    """Decimal and binary units mean what they say; part of a byte is dropped."""
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    [
        *("", "B", "GiB", "ten", "200G", "200Gi", "200gib", "10mb", "10Mb", "1.5", "1.5B", "1.0", "010GiB", "1e9"),
        *(
            ".5GiB",
            "5.GiB",
            "+5",
            " 5",
            "5 ",
            "5  GB",
            "5\tGB",
            "1_000",
            "0x10",
            "1,5GiB",
            "٣",
            "5GB5GB",
            "5%",
            "9" * 33,
        ),
    ],
)
def test_anything_else_is_no_size(text: str) -> None:
    """A unit that some read as 1000 and others as 1024 is refused, and so is part of a byte."""
    with pytest.raises(Unfit, match="is not a size such as 200GiB, 10MB or a number of bytes"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-1", "must not be negative"),
        ("-10GiB", "must not be negative"),
        ("-5%", "must not be negative"),
        ("9223372036854775808", "too large"),
        ("8192PiB", "too large"),
        ("0.0001kB", "less than one byte"),
        ("100%", "must be less than 100%"),
        ("999.5%", "must be less than 100%"),
        ("1000%", "is not a percentage such as 5% or 2.5%"),
        ("%", "is not a percentage"),
        ("5%%", "is not a percentage"),
        ("05%", "is not a percentage"),
        ("٣%", "is not a percentage"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, message: str) -> None:
    """The message says what is wrong, and nothing that is given becomes 0 unseen."""
    with pytest.raises(Unfit, match=message):
        parse_share(text)


@pytest.mark.parametrize(
    ("text", "share", "shown", "part"),
    [
        ("5%", Share(percent=5), "5%", 50),
        ("2.5 %", Share(percent=2.5), "2.5%", 25),
        ("99.9%", Share(percent=99.9), "99.9%", 999),
        ("1kB", Share(size=1000), "1000", 1000),
        ("0%", Share(), "0", 0),
        ("0", Share(), "0", 0),
    ],
)
def test_a_share_is_a_size_or_a_percentage(text: str, share: Share, shown: str, part: int) -> None:
    """It is asked for its bytes with the whole's, here 1000; nothing of either kind is nothing."""
    assert parse_share(text) == share
    assert str(share) == shown
    assert share.of(1000) == part
    assert bool(share) == bool(part)


@given(st.integers(0, 2**63 - 1), st.sampled_from(sorted(UNITS)))
def test_a_number_and_a_unit_are_multiplied(number: int, unit: str) -> None:
    """Up to 63 bits; beyond, it is refused."""
    size = number * UNITS[unit]
    if size < 2**63:
        assert parse_size(f"{number}{unit}") == size
    else:
        with pytest.raises(Unfit, match="too large"):
            parse_size(f"{number}{unit}")


@given(st.text("0123456789.-% kKMGTPiB", max_size=40) | st.text())
def test_any_text_is_a_share_or_unfit(text: str) -> None:
    """No text raises anything but Unfit, and no share is negative or the whole."""
    with suppress(Unfit):
        share = parse_share(text)
        assert share.size >= 0
        assert 0 <= share.percent < 100
