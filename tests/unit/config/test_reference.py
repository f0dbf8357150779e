"""That docs/configuration.md tells of every key what is true."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from entrepot.config.drivers import S3Goamz
from entrepot.config.sizes import Share
from entrepot.config.supported import NOT_YET
from tests.unit.config.reading import every_key

PAGE = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text(encoding="utf-8")
ALIASES = {"storage.s3aws", "storage.s3goamz"}
"""Drivers that the page describes by their difference from s3."""


class Row(NamedTuple):
    """A line of one of the page's tables of keys."""

    key: str
    kind: str
    default: str
    today: str
    meaning: str


ROWS = [
    Row(*(cell.strip() for cell in line.strip("|").split(" | ")))
    for line in PAGE.splitlines()
    if re.match(r"\| `[a-z0-9_.\[\]]+` \| [^|]+ \| [^|]+ \| (yes|not yet) \|", line)
]
FIELDS = {key: field for key, field in every_key() if not key.startswith(tuple(f"{alias}." for alias in ALIASES))}


def test_every_key_has_one_row() -> None:
    """No key is missing, none is made up, none is told twice."""
    assert sorted(row.key.strip("`") for row in ROWS) == sorted([*FIELDS, *ALIASES])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.key)
def test_a_row_says_whether_the_key_works(row: Row) -> None:
    """What stops the start is said not to work yet, and what works is said to."""
    bare = row.key.strip("`").replace("[]", "")
    supported = not any(bare == path or bare.startswith(f"{path}.") for path in NOT_YET)
    # Of the kinds of middleware one is missing, which the model refuses by its name.
    supported = supported and not row.meaning.startswith("`cloudfront`: ")

    assert row.today == ("yes" if supported else "not yet")
    assert row.meaning.endswith(".")


@pytest.mark.parametrize("row", [row for row in ROWS if row.key.strip("`") in FIELDS], ids=lambda row: row.key)
def test_a_row_says_the_default(row: Row) -> None:
    """As one would write it in the file."""
    assert row.default == shown_default(FIELDS[row.key.strip("`")])


def test_the_row_of_s3goamz_lists_its_keys() -> None:
    """It is described by the keys that it shares with s3."""
    row = next(row for row in ROWS if row.key == "`storage.s3goamz`")

    assert set(re.findall("`([a-z0-9]+)`", row.meaning)) - {"s3"} == set(S3Goamz.by_key())


def shown_default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    if isinstance(default, Share):
        return str(default)
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, float):
        return shown_duration(default)
    if isinstance(default, tuple) and default:
        return "all"
    return str(default) if default or default == 0 else "-"


def shown_duration(seconds: float) -> str:
    for unit, length in (("h", 3600), ("m", 60), ("s", 1)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:.0f}{unit}"
    return f"{seconds * 1000:.0f}ms" if seconds else "0"
