"""Where a process spends its time: its stacks, looked at again and again. Names of functions, never values."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from types import FrameType

_INTERVAL = 0.01
"""Seconds between two looks, each of which takes some ten microseconds."""

_DEEPEST = 128


def profile(seconds: float) -> str:
    """Look for so long, on this thread. A line for each stack, outermost function first, and how often it was seen.

    That is the "collapsed" form, which flame graph programs and speedscope read. A thread that waits is seen as often
    as one that computes.
    """
    seen: Counter[str] = Counter()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        seen.update(";".join((name, *reversed(stack))) for name, stack in stacks())
        time.sleep(_INTERVAL)
    return "".join(f"{stack} {count}\n" for stack, count in seen.most_common())


def stacks() -> Iterator[tuple[str, list[str]]]:
    """Name and stack, innermost function first, of each other thread."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    own = threading.get_ident()
    for ident, frame in sys._current_frames().items():  # noqa: SLF001  # documented, and for this
        if ident != own:
            yield names.get(ident, "server"), list(_functions(frame))


def _functions(frame: FrameType | None) -> Iterator[str]:
    for _ in range(_DEEPEST):
        if frame is None:
            return
        yield f"{frame.f_globals.get('__name__', '?')}.{frame.f_code.co_qualname}:{frame.f_lineno}"
        frame = frame.f_back
