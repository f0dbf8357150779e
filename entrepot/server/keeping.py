"""The keeper's process as its supervisor sees it: started, started again when it ends, and stopped."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
from collections.abc import Callable

from entrepot.telemetry import get_logger

log = get_logger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
"""Seconds before it is started again: doubled each time, unless it has lived longer than that."""

_NICENESS = 10
"""What nobody waits for leaves the processor to the workers, but still gets a tenth of one that they keep busy."""

_STOP_PATIENCE = 2.0  # seconds
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15  # prctl(2)
_NAME = b"entrepot-keeper"  # all that the kernel keeps of a name


class Keeping:
    """Runs `work` in one process at a time, forked from this one.

    `forking` is held while it forks: what others open under it, the child knows of. `work` must take nothing of this
    process for granted but its memory; it ends at SIGTERM, and is killed where it does not within two seconds.
    """

    def __init__(self, work: Callable[[], None], forking: threading.Lock) -> None:
        self._work = work
        self._lock = forking
        self._stopping = threading.Event()
        self._renewing = False
        self._supervisor = os.getpid()
        self._pid = 0
        # The kernel ends the keeper when the thread that forked it ends: so it is one that waits for it.
        self._thread = threading.Thread(target=self._watch, name="keeping", daemon=True)

    @property
    def is_started(self) -> bool:
        return self._thread.ident is not None

    def start(self) -> None:
        """Returns at once. Once only."""
        self._thread.start()

    def renew(self) -> None:
        """End it, so that another takes its place, or start it, where that was not done; returns at once."""
        if not self.is_started:
            self.start()
            return
        self._renewing = True
        self._signal(signal.SIGTERM)

    def stop(self) -> None:
        """End it; returns when it has ended, or was never started."""
        self._stopping.set()
        if not self._thread.is_alive():
            return
        self._signal(signal.SIGTERM)
        self._thread.join(_STOP_PATIENCE)
        self._signal(signal.SIGKILL)
        self._thread.join()

    def _watch(self) -> None:
        pause = _FIRST_PAUSE
        while pid := self._fork():
            birth = time.monotonic()
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
            status = self._reap()
            if time.monotonic() - birth > _LONGEST_PAUSE:
                pause = _FIRST_PAUSE
            if self._renewing:
                self._renewing = False
                continue
            # A signal to the whole group ends it before us, which is no failure.
            if self._stopping.wait(pause):
                return
            log.error("keeper_ended", pid=pid, status=status)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _fork(self) -> int:
        with self._lock:
            if self._stopping.is_set():
                return 0
            self._pid = os.fork()
            if not self._pid:
                self._become_keeper()
            return self._pid

    def _become_keeper(self) -> None:
        status = 1
        try:
            libc = ctypes.CDLL(None)
            libc.prctl(_PR_SET_NAME, _NAME)
            # At once: nothing that it does needs an end.
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            os.nice(_NICENESS)
            if os.getppid() == self._supervisor:
                self._work()
            status = 0
        except BaseException:
            log.exception("keeper_failed")
        finally:
            os._exit(status)

    def _reap(self) -> int:
        # Under the lock: until then no other process can have its number.
        with self._lock:
            _, status = os.waitpid(self._pid, 0)
            self._pid = 0
        return os.waitstatus_to_exitcode(status)

    def _signal(self, number: signal.Signals) -> None:
        with self._lock:
            if self._pid:
                os.kill(self._pid, number)
