"""What a process holds: memory, files, threads, tasks, objects. Counts and names, never values."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
from collections import Counter
from pathlib import Path

from entrepot.diagnostics.sampling import stacks

_MOST_TASKS = 1000
_MOST_TYPES = 50


def figures(loop: asyncio.AbstractEventLoop) -> dict[str, int]:
    """In bytes, and in numbers of things."""
    memory = dict(_memory())
    return {
        "resident_bytes": memory.get("Rss", 0),
        "proportional_bytes": memory.get("Pss", 0),
        "private_bytes": memory.get("Private_Clean", 0) + memory.get("Private_Dirty", 0),
        "swapped_bytes": memory.get("Swap", 0),
        "allocated_blocks": sys.getallocatedblocks(),
        "garbage_collections": sum(generation["collections"] for generation in gc.get_stats()),
        "open_files": len(os.listdir("/proc/self/fd")) - 1,
        "threads": threading.active_count(),
        "tasks": len(asyncio.all_tasks(loop)),
    }


def tasks(loop: asyncio.AbstractEventLoop) -> str:
    """A line for each task and the line that it waits at, those that wait at the same counted; then each thread."""
    waiting = Counter(_place(task) for task in asyncio.all_tasks(loop))
    lines = [f"{count} x {place}" for place, count in waiting.most_common(_MOST_TASKS)]
    threads = [f"thread {name}: {' < '.join(stack)}" for name, stack in stacks()]
    return "\n".join((*lines, *threads, ""))


def objects() -> str:
    """The types of which there are most objects, as far as the collector knows them; stops the process for a moment."""
    counted = Counter(f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.get_objects())
    return "".join(f"{count} {name}\n" for name, count in counted.most_common(_MOST_TYPES))


def _place(task: asyncio.Task[object]) -> str:
    chain = [frame.f_code.co_qualname for frame in task.get_stack()]
    frames = task.get_stack(limit=1)
    line = f":{frames[-1].f_lineno}" if frames else ""
    return f"{task.get_name() if not chain else ' > '.join(chain)}{line}"


def _memory() -> list[tuple[str, int]]:
    try:
        rollup = Path("/proc/self/smaps_rollup").read_text()
    except OSError:  # not Linux, or forbidden
        return []
    rows = [line.split() for line in rollup.splitlines()[1:]]
    return [(row[0].rstrip(":"), int(row[1]) << 10) for row in rows]
