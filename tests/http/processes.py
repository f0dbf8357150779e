"""What the kernel knows of a server's processes: which they are, what they hold open, use and have used."""

import os
from pathlib import Path

from tests.http.waiting import wait_until

TICKS = os.sysconf("SC_CLK_TCK")


def workers(supervisor: int) -> list[int]:
    """The ids of the worker processes, oldest first."""
    return [int(word) for word in Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()]


def await_workers(supervisor: int, count: int | None = None) -> list[int]:
    """All workers of a server that has just been started: so many, or one for each core."""
    expected = len(os.sched_getaffinity(0)) if count is None else count
    wait_until(lambda: len(workers(supervisor)) == expected)
    return workers(supervisor)


def worker_of(supervisor: int, port: int, client: int) -> int | None:
    """The worker that has accepted the connection from a client's port to `port` on 127.0.0.1."""
    inodes = _sockets(f"0100007F:{port:04X} 0100007F:{client:04X}")
    for worker in workers(supervisor):
        with os.scandir(f"/proc/{worker}/fd") as descriptors:
            if any(_target(entry.path) in inodes for entry in descriptors):
                return worker
    return None


def connections(supervisor: int, port: int) -> int:
    """Accepted connections to `port` on 127.0.0.1 that the workers hold open."""
    inodes = _sockets(f"0100007F:{port:04X} 0100007F:")
    found = 0
    for worker in workers(supervisor):
        with os.scandir(f"/proc/{worker}/fd") as descriptors:
            found += sum(_target(entry.path) in inodes for entry in descriptors)
    return found


def _sockets(ends: str) -> set[str]:
    """Those whose two addresses begin so."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    return {f"socket:[{row[9]}]" for row in rows if f"{row[1]} {row[2]}".startswith(ends)}


def is_gone(process: int) -> bool:
    """Whether it has ended, be it that nobody has asked for its status yet."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def open_files(supervisor: int, below: Path | None = None) -> int:
    """Open files of all workers together, pipes and sockets included; or only those below a directory."""
    found = 0
    for worker in workers(supervisor):
        with os.scandir(f"/proc/{worker}/fd") as descriptors:
            found += sum(below is None or _target(entry.path).startswith(f"{below}/") for entry in descriptors)
    return found


def memory(supervisor: int) -> int:
    """Bytes of memory of all processes together, shared pages counted once (PSS)."""
    return sum(_proportional(process) for process in (supervisor, *workers(supervisor)))


def cpu_seconds(supervisor: int) -> float:
    """Seconds that all workers have computed so far, together."""
    return sum(_ticks(worker) for worker in workers(supervisor)) / TICKS


def _target(descriptor: str) -> str:
    try:
        return os.readlink(descriptor)
    except FileNotFoundError:
        return ""


def _proportional(process: int) -> int:
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    [line] = [line for line in lines if line.startswith("Pss:")]
    return int(line.split()[1]) * 1024


def _ticks(process: int) -> int:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
