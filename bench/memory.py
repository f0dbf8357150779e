"""Memory of a server: the proportional set sizes of all its processes, where shared pages are counted once."""

from collections.abc import Iterator
from pathlib import Path


def megabytes_of(pid: int) -> float:
    """Return the PSS of a process and all its descendants in MB."""
    return sum(_pss(process) for process in tree(pid)) * 1024 / 1e6


def tree(pid: int) -> Iterator[int]:
    """Yield a process id and those of all its descendants."""
    yield pid
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for child in (thread / "children").read_text().split():
            yield from tree(int(child))


def _pss(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise ValueError(f"no Pss in the smaps of {pid}")
