"""Processes that note what is not written yet, and how it is known that one was killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from entrepot.index.writers import Writer, dead_writers, dismiss

KILLED = """
import os, signal, sys
from entrepot.index.writers import Writer
writer = Writer(sys.argv[1])
writer.enter()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def directory(tmp_path: Path) -> str:
    """Where nobody has been yet."""
    return str(tmp_path / "below" / "writers")


def test_who_ends_well_leaves_nothing(directory: str) -> None:
    """Nor is anybody taken for dead before."""
    writer, other = Writer(directory), Writer(directory)
    assert dead_writers(directory) == []
    for _ in range(2):
        writer.enter()
        other.enter()
    assert len(os.listdir(directory)) == 2
    assert dead_writers(directory) == []

    writer.leave(is_done=True)
    assert len(os.listdir(directory)) == 1
    other.leave(is_done=True)
    assert os.listdir(directory) == []


def test_who_could_not_write_all_counts_as_dead(directory: str) -> None:
    """As the disk was full until its end."""
    writer = Writer(directory)
    writer.enter()
    writer.leave(is_done=False)
    assert len(dead_writers(directory)) == 1


def test_who_was_killed_is_dead_until_dismissed(directory: str) -> None:
    """Whoever asks, and however often."""
    ended = subprocess.run([sys.executable, "-c", KILLED, directory], check=False)
    assert ended.returncode == -signal.SIGKILL
    dead = dead_writers(directory)
    assert len(dead) == 1
    assert dead_writers(directory) == dead
    dismiss(dead)
    dismiss(dead)
    assert dead_writers(directory) == []


def test_a_file_that_somebody_removed_is_made_again(directory: str) -> None:
    """All of the index may be lost while it is used."""
    writer = Writer(directory)
    writer.enter()
    dismiss([os.path.join(directory, name) for name in os.listdir(directory)])
    os.rmdir(directory)
    writer.enter()
    assert len(os.listdir(directory)) == 1
    writer.leave(is_done=True)
    assert os.listdir(directory) == []
