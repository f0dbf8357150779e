"""Steps of which the kernel may take only a part."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from entrepot.drivers.durable import is_temporary, temporary_name, write_all
from entrepot.drivers.paths import is_name


def test_short_writes_are_gone_on_with() -> None:
    """More than the kernel takes at once is written exactly once, from where it stopped."""
    chunk = bytes(3 << 30)  # never touched, so never in memory; one call takes less than 2 GiB
    with open("/dev/null", "wb", buffering=0) as file:
        taken = list(write_all(file.fileno(), [b"begin", b"", chunk, b"end"]))

    assert len(taken) == 3
    assert sum(taken) == len(chunk) + 8


def test_chunks_are_taken_when_they_are_written() -> None:
    """Small ones together, and none long before its turn: whoever makes them may do so in the same cache."""
    pulled: list[int] = []

    def chunks() -> Iterator[bytes]:
        for number in range(8):
            pulled.append(number)
            yield bytes(128 * 1024)

    with open("/dev/null", "wb", buffering=0) as file:
        seen = [(taken, len(pulled)) for taken in write_all(file.fileno(), chunks())]

    assert seen == [(256 * 1024, 2), (256 * 1024, 4), (256 * 1024, 6), (256 * 1024, 8)]


def test_nothing_is_written_of_nothing() -> None:
    """No chunks, or empty ones, are no call at all."""
    assert list(write_all(-1, [])) == list(write_all(-1, [b"", b""])) == []


def test_temporary_names_are_told_apart() -> None:
    """A new name is a legal one, unlike any other, that listings recognise."""
    names = {temporary_name() for _ in range(100)}

    assert len(names) == 100
    assert all(is_name(name) and is_temporary(name) for name in names)


@pytest.mark.parametrize("name", ["link", "data", "startedat", "a.tmp", ".tmp", f"{'0' * 32}.tmp", "x-1-2-3-4.tmp"])
def test_names_of_the_layout_are_not_temporary(name: str) -> None:
    """Nothing that a client or the layout may call a file is taken for a leftover."""
    assert not is_temporary(name)


def test_write_all_raises_what_the_kernel_says() -> None:
    """An error comes after what was taken before it."""
    with open("/dev/full", "wb", buffering=0) as file, pytest.raises(OSError, match=os.strerror(28)):
        list(write_all(file.fileno(), [b"1"]))
