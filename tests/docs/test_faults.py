"""docs/faults.md: a row for each fault, and each test that it names is there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
DOCUMENT = (PROJECT / "docs" / "faults.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", DOCUMENT)))
ROWS = {row[:7].strip("| "): row for row in DOCUMENT.splitlines() if row.startswith("| F-")}


@cache
def names_in(path: str) -> frozenset[str]:
    """The names of the tests in a file."""
    nodes = ast.walk(ast.parse((PROJECT / path).read_text()))
    return frozenset(one.name for one in nodes if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))


def test_each_fault_has_a_row() -> None:
    """In their order, none left out."""
    assert list(ROWS) == [f"F-{number:03}" for number in (*range(66, 116), *range(123, 126))]


@pytest.mark.parametrize("fault", ROWS)
def test_each_row_has_a_proof(fault: str) -> None:
    """A test, or a command that prints figures."""
    assert re.search(r"::test_|`python -m bench", ROWS[fault])


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_each_named_test_is_there(path: str, name: str) -> None:
    """So that the table cannot drift."""
    assert name in names_in(path)
