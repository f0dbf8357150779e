"""The guard lets no path through that is outside the grammar."""

from __future__ import annotations

import pytest

from entrepot.driver import PathInvalid
from entrepot.drivers.guarded import Guarded
from entrepot.drivers.memory import MemoryDriver
from entrepot.wire.ranges import Span

OUTSIDE = ["", "a", "/../a", "/a/..", "/a//b", "/a\0"]


@pytest.mark.parametrize("path", OUTSIDE)
async def test_the_driver_inside_never_sees_a_wrong_path(path: str) -> None:
    """What the driver inside would have taken is refused, for every operation."""
    inner = MemoryDriver()
    await inner.put(path, b"content")
    await inner.put("/t", b"")
    guarded = Guarded(inner)
    for refused in (
        guarded.get(path),
        guarded.put(path, b""),
        guarded.stat(path),
        guarded.list(path),
        guarded.move(path, "/u"),
        guarded.move("/t", path),
        guarded.delete(path),
        guarded.make_directory(path),
    ):
        with pytest.raises(PathInvalid):
            await refused
    for attempt in (lambda: guarded.read(path, Span(0, 1)), lambda: guarded.writer(path), lambda: guarded.lock(path)):
        with pytest.raises(PathInvalid):
            attempt()

    assert await inner.get(path) == b"content"
