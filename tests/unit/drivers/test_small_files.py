"""Kept contents are given only as long as a stat agrees."""

from __future__ import annotations

import os
from dataclasses import dataclass

import pytest

from entrepot.drivers.seen import SeenFile
from entrepot.drivers.small_files import LARGEST_FILE, SmallFiles

SECOND = 1_000_000_000
NOW = 1_000 * SECOND + 999


def status(size: int, inode: int = 1, modified: int = 5 * SECOND + 1, changed: int = 5 * SECOND + 1) -> os.stat_result:
    """What a stat of some file says."""
    times = {"st_atime_ns": 0, "st_mtime_ns": modified, "st_ctime_ns": changed}
    return os.stat_result((0o100644, inode, 1, 1, 0, 0, size, 0, 0, 0), times)


def content_of(seen: SeenFile | None) -> bytes | None:
    """What was kept of it."""
    return None if seen is None else seen.content


def test_an_unchanged_file_is_found() -> None:
    """What was kept is found again under the same stat, and under no other path."""
    files = SmallFiles(10_000)
    files.keep("/a", status(3), b"abc", NOW)

    assert content_of(files.find("/a", status(3))) == b"abc"
    assert files.find("/b", status(3)) is None


@pytest.mark.parametrize(
    "other",
    [status(4), status(3, inode=2), status(3, modified=5 * SECOND + 2), status(3, changed=5 * SECOND + 2)],
    ids=["size", "inode", "modified", "changed"],
)
def test_a_changed_file_is_not_found(other: os.stat_result) -> None:
    """Any difference in size, inode or times hides what was kept."""
    files = SmallFiles(10_000)
    files.keep("/a", status(3), b"abc", NOW)

    assert files.find("/a", other) is None


@pytest.mark.parametrize(
    ("changed", "is_kept"),
    [
        (NOW - SECOND // 10, True),
        (NOW - SECOND // 10 + 1, False),
        (NOW, False),
        (NOW + 60 * SECOND, False),
        (999 * SECOND, False),
        (998 * SECOND, True),
    ],
    ids=["old", "young", "now", "from the future", "whole seconds", "old whole seconds"],
)
def test_a_file_that_may_change_unseen_is_not_kept(changed: int, *, is_kept: bool) -> None:
    """A file changed within a tick before it was read is not kept; a tick is longer where times are whole seconds."""
    files = SmallFiles(10_000)
    seen = status(3, changed=changed)
    files.keep("/a", seen, b"abc", NOW)

    assert (files.find("/a", seen) is not None) == is_kept


def test_only_whole_small_contents_are_kept() -> None:
    """A content that is not as long as its file, or longer than a small one, is not kept."""
    files = SmallFiles(10 * LARGEST_FILE)
    files.keep("/short", status(4), b"abc", NOW)
    files.keep("/large", status(LARGEST_FILE + 1), bytes(LARGEST_FILE + 1), NOW)
    files.keep("/empty", status(0), b"", NOW)

    assert files.find("/short", status(4)) is None
    assert files.find("/large", status(LARGEST_FILE + 1)) is None
    assert content_of(files.find("/empty", status(0))) == b""


def test_a_newer_content_replaces_the_older() -> None:
    """Keeping again what has changed gives the new content, and what may have changed unseen is forgotten."""
    files = SmallFiles(10_000)
    files.keep("/a", status(3), b"old", NOW)
    files.keep("/a", status(3, inode=2), b"new", NOW)
    assert content_of(files.find("/a", status(3, inode=2))) == b"new"
    files.keep("/a", status(3, changed=NOW), b"raw", NOW)

    assert files.find("/a", status(3, inode=2)) is None


@dataclass
class Kept:
    """What a SmallFiles of 32 KiB holds of a hundred files of 1 KiB, kept in turn."""

    files: SmallFiles

    def numbers(self) -> list[int]:
        """The files that are still found."""
        return [number for number in range(100) if self.files.find(f"/{number}", status(1024, number)) is not None]


def test_memory_is_bounded_and_what_is_used_stays() -> None:
    """Beyond its capacity the cache drops what was kept first, but passes over what was asked for meanwhile."""
    kept = Kept(SmallFiles(32 << 10))
    for number in range(100):
        kept.files.keep(f"/{number}", status(1024, number), bytes(1024), NOW)
        kept.files.find("/0", status(1024, 0))
    numbers = kept.numbers()

    assert 0 in numbers
    assert 99 in numbers
    assert 15 <= len(numbers) <= 32
    assert numbers[1:] == list(range(100 - len(numbers) + 1, 100))


def test_a_content_larger_than_all_is_dropped() -> None:
    """A capacity too small for one content leaves nothing kept, and hangs on nothing."""
    files = SmallFiles(100)
    files.keep("/a", status(3), b"abc", NOW)

    assert files.find("/a", status(3)) is None


def test_forgetting_frees() -> None:
    """What was forgotten is not found, and its room is free for others."""
    files = SmallFiles(2000)
    for number in range(50):
        files.keep(f"/{number}", status(1000, number), bytes(1000), NOW)
        files.forget(f"/{number}")
        files.forget(f"/{number}")
    files.keep("/last", status(1000), bytes(1000), NOW)

    assert files.find("/49", status(1000, 49)) is None
    assert files.find("/last", status(1000)) is not None
