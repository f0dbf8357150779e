"""strace on a running server: stop it after every system call that changes its directory, or let such calls fail.

strace counts the calls of each thread and of each kind of call by itself, so that `when=N` names no point in the course
of a request that several threads work on. Here every call stops the whole process (`signal=SIGSTOP`) instead, and is
counted over all threads and kinds. Changes are what counts: after an fsync the directory is what it was before.
"""

import contextlib
import os
import re
import select
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.real.processes import ProgramFailed

CHANGES = (
    "open,openat,openat2,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,"
    "unlink,unlinkat,rmdir,write,pwrite64,writev,pwritev,pwritev2,truncate,ftruncate,fallocate"
)
ATTACHED = re.compile(r"Process \d+ attached")
LINE = re.compile(r"(?:\[pid +(\d+)\] )?(.*)", re.DOTALL)
LIMIT = 60.0
DETACH_LIMIT = 10.0
# Changes that follow an answer within this time are still seen.
IDLE = 0.05

T = TypeVar("T")


class Tracer:
    """A strace attached to one process; `close` detaches it and lets the process go on."""

    def __init__(self, pid: int, options: Sequence[str]) -> None:
        self._pid = pid
        self._strace = subprocess.Popen(
            ["strace", "-f", "-y", *options, "-p", str(pid)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self._rest = b""
        first = self.line(LIMIT)
        if first is None or not ATTACHED.search(first):
            self.close()
            raise ProgramFailed(f"strace can not attach: {first}")

    def line(self, patience: float) -> str | None:
        """Return the next line that strace printed, or None when there is none within `patience` seconds."""
        assert self._strace.stderr is not None
        output = self._strace.stderr.fileno()
        while b"\n" not in self._rest:
            if not select.select([output], [], [], patience)[0]:
                return None
            piece = os.read(output, 65536)
            if not piece:
                return None
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode(errors="replace")

    def close(self) -> str:
        """Detach, and return the lines that have not been read."""
        self._strace.terminate()
        try:
            _, remaining = self._strace.communicate(timeout=DETACH_LIMIT if self._is_alive() else 0.1)
        except subprocess.TimeoutExpired:
            # Of a process that was killed it may wait for threads that nobody will ever see end.
            self._strace.kill()
            _, remaining = self._strace.communicate()
        if self._is_alive():
            os.kill(self._pid, signal.SIGCONT)
        return (self._rest + remaining).decode(errors="replace")

    def _is_alive(self) -> bool:
        try:
            status = Path(f"/proc/{self._pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return False
        return status.rpartition(")")[2].split()[0] not in "ZX"


class Steps:
    """The course of one operation, call by call."""

    def __init__(self, pid: int, root: Path) -> None:
        self._pid = pid
        self._root = str(root)
        self._tracer = Tracer(pid, ["-e", f"trace={CHANGES}", "-e", f"inject={CHANGES}:signal=SIGSTOP"])
        self._calls: dict[str, str] = {}

    def take(self, number: int, operation: Future[T]) -> bool:
        """Return True when the process stands after its `number`-th change, False when the operation ended before."""
        taken = 0
        while taken < number:
            line = self._tracer.line(IDLE)
            if line is None:
                if operation.done():
                    return False
                continue
            if (call := self._stopped_after(line)) is not None:
                taken += self._is_change(call)
                if taken < number:
                    os.kill(self._pid, signal.SIGCONT)
        return True

    def close(self) -> None:
        """Let the process go on unobserved."""
        self._tracer.close()

    def _stopped_after(self, line: str) -> str | None:
        found = LINE.fullmatch(line)
        assert found is not None
        thread, text = found.group(1) or "", found.group(2)
        if text.startswith("--- SIGSTOP"):
            return self._calls.get(thread, "")
        # The second half of a call that another thread interrupted in the output has no arguments.
        if not text.startswith(("---", "<...", "+++")):
            self._calls[thread] = text
        return None

    def _is_change(self, call: str) -> bool:
        if self._root not in call or " = -1 " in call:
            return False
        return not call.startswith("open") or "O_CREAT" in call


def worker_of(server: int) -> int:
    """Return the id of the one worker process that a server of this id has."""
    children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    assert len(children) == 1, children
    return int(children[0])


@contextlib.contextmanager
def running(call: Callable[[], T]) -> Iterator[Future[T]]:
    """Call something on a thread while the block goes on."""
    with ThreadPoolExecutor(1) as thread:
        yield thread.submit(call)


@dataclass(frozen=True, slots=True)
class Fault:
    """The `number`-th call of these kinds in each thread fails with `error`, on any file or `only` on one."""

    calls: str
    error: str
    number: int
    only: Path | None = None


class Failures:
    """A process that meets a fault as long as this is open."""

    def __init__(self, pid: int, fault: Fault) -> None:
        injection = f"inject={fault.calls}:error={fault.error}:when={fault.number}"
        restriction = () if fault.only is None else ("-P", str(fault.only))
        self._tracer = Tracer(pid, ["-e", f"trace={fault.calls}", "-e", injection, *restriction])

    def close(self) -> list[str]:
        """Let the process go on unobserved, and return the calls that failed, as strace printed them."""
        return [line for line in self._tracer.close().splitlines() if "(INJECTED)" in line]
