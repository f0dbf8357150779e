"""What a server does without being asked: the processor time of all its processes."""

import os
import time
from pathlib import Path

from bench.memory import tree
from tests.real.processes import ProgramFailed

IDLE = 0.05
LOOK = 1.0
CALM_LOOKS = 3
LIMIT = 600


def wait_until_quiet(pid: int) -> None:
    """Return when a server's processes have used next to no processor time for three seconds on end."""
    calm = 0
    for _ in range(LIMIT):
        before = seconds_of(pid)
        time.sleep(LOOK)
        calm = calm + 1 if seconds_of(pid) - before < IDLE * LOOK else 0
        if calm == CALM_LOOKS:
            return
    raise ProgramFailed(f"not quiet in {LIMIT * LOOK:.0f} s")


def seconds_of(pid: int) -> float:
    """The processor time that a process and all its descendants have used."""
    return sum(_ticks(process) for process in tree(pid)) / os.sysconf("SC_CLK_TCK")


def _ticks(pid: int) -> int:
    # The name, in brackets, may hold anything; the two times are the 14th and 15th field (proc_pid_stat(5)).
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
