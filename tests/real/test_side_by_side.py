"""Twenty configuration files, and what two programs make of them: every difference is in docs/answers.md."""

import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.programs import need
from tests.real.side_by_side import differences, names

TABLE = (Path(__file__).parents[2] / "docs" / "answers.md").read_text()
ROWS = [tuple(row) for row in re.findall(r"^\| ([^|]+) \| ([^|]+) \| [^|]+ \| [^|]+ \|$", TABLE, re.MULTILINE)][1:]


def test_there_are_twenty() -> None:
    """Each with its name."""
    assert len(names()) == 20
    assert len(ROWS) >= 10


@pytest.mark.parametrize("name", names())
def test_all_that_differs_is_known(tmp_path: Path, name: str) -> None:
    """Header by header, for the whole story of a client."""
    need("docker-registry")
    unknown = {
        key: pair
        for key, pair in differences(name, tmp_path).items()
        if not any(fnmatchcase(key[0], asked) and fnmatchcase(key[1], part) for asked, part in ROWS)
    }

    assert unknown == {}
