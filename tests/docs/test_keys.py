"""docs/keys.md: what the models and the list of differences give, and nothing else."""

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def test_the_page_is_what_is_generated() -> None:
    """Who adds a key, or makes one work, runs the script."""
    command = [sys.executable, str(PROJECT / "scripts" / "compatibility_table.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(PROJECT)})

    assert done.returncode == 0, done.stderr
