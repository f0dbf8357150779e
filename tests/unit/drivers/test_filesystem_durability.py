"""What is durable when an operation returns, shown by the order of its system calls."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.drivers.operation import OLD
from tests.unit.drivers.processes import recorded

PUT = """
mkdir t; fsync ROOT; mkdir t/a; fsync t
writev t/a/TMP; fsync t/a/TMP; rename t/a/TMP t/a/link; fsync t/a
"""
REPLACE = "writev t/TMP; fsync t/TMP; rename t/TMP t/link; fsync t"
MOVE = "mkdir t/b; fsync t; rename t/link t/b/data; fsync t/b; fsync t"
APPEND = """
mkdir t; fsync ROOT; mkdir t/a; fsync t
writev t/a/data; fdatasync t/a/data; fsync t/a
"""
DELETE = "unlink t/link; unlink t; fsync ROOT"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("put", PUT), ("replace", REPLACE), ("move", MOVE), ("append", APPEND), ("delete", DELETE)],
    ids=["put", "replace", "move", "append", "delete"],
)
def test_each_step_is_durable_before_the_next(root: Path, tmp_path: Path, name: str, expected: str) -> None:
    """Bytes are synced before their name exists, new directories in their parents, unchanged directories not at all."""
    if name in {"replace", "move", "delete"}:
        (root / "t").mkdir()
        (root / "t" / "link").write_bytes(OLD)
    steps = [step.strip() for line in expected.strip().splitlines() for step in line.split(";")]

    assert recorded(root, name, tmp_path / "trace") == steps
