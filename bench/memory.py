"""Memory of a server: the proportional set sizes of all its processes, where shared pages are counted once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

PAUSE = 0.25


def megabytes_of(pid: int) -> float:
    """Return the PSS of a process and all its descendants in MB."""
    return sum(_pss(process) for process in tree(pid)) * 1024 / 1e6


def peak_while(work: Callable[[], object], pid: int) -> float:
    """Do the work in a thread and return the largest PSS in MB that was seen meanwhile; raises what the work raises."""
    with ThreadPoolExecutor(1) as thread:
        working = thread.submit(work)
        seen = [megabytes_of(pid)]
        while not wait([working], PAUSE).done:
            seen.append(megabytes_of(pid))
        working.result()
    return max(seen)


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
