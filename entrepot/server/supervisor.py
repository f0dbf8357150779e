"""The supervisor: opens the sockets that the workers listen on, replaces workers that end, and stops them.

Beside the workers it keeps the keeper, where there is one. Granian's own, changed in what an operator relies on. Must
not know what any of them does.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, cast

from granian._granian import SocketHolder
from granian.server.mp import MPServer, WorkerProcess

from entrepot.server.keeping import Keeping
from entrepot.server.listener import BACKLOG, Address, listen
from entrepot.server.patience import Patience
from entrepot.server.worker import LEAVE
from entrepot.telemetry import get_logger

log = get_logger(__name__)

Loader = Callable[[], Any]

_SHARED = -1
_PAUSE = 1.0  # seconds
_PR_SET_PDEATHSIG = 1  # prctl(2)
_LAST_ANSWERS = 5.0
"""Seconds in which clients of a passed socket are told with an answer that they have to connect anew."""

_MOST_LEAVING = 8
"""Replaced workers for each worker that may still end what they have begun."""


class Supervisor(MPServer):
    """Runs workers on `address`; `options` are Granian's. `serve` raises SystemExit where no worker stays alive.

    `keep` is what a further process does beside them until SIGTERM, from when `is_kept` says yes, which is asked at the
    start and after each renewal. `renew` is asked at SIGHUP, or without one, which it is told, when `look_again` is
    called: where it says yes, all are replaced, each by one that begins with what is new, and end when their last
    request has ended.
    """

    _shd: Any

    def __init__(
        self,
        address: Address,
        patience: Patience,
        keep: Callable[[], None],
        is_kept: Callable[[], bool],
        renew: Callable[[bool], bool],
        **options: Any,
    ) -> None:
        super().__init__("entrepot", **options)
        self._address = address
        self._patience = patience
        self._pid = os.getpid()
        self._started = time.monotonic()
        self._renew = renew
        self._is_kept = is_kept
        self._is_asked = False
        self._leaving: list[WorkerProcess] = []
        # By worker. Each has a socket of its own, among which the kernel spreads connections; a unix socket is shared.
        self._listening: dict[int, socket.socket] = {}
        # The keeper is forked in a thread of its own: it must know of every socket to close it.
        self._forking = threading.Lock()
        self._keeping = Keeping(partial(self._begin_keeping, keep), self._forking)

    def _init_shared_socket(self) -> None:
        self._ssp = self._sso = None
        for idx in range(self.workers):
            self._listen(idx)

    def _listen(self, idx: int) -> socket.socket:
        key = _SHARED if self._address.is_shared else idx
        with self._forking:
            if key not in self._listening:
                self._listening[key] = listen(self._address, self._patience.reader)
            return self._listening[key]

    def _drop_shared_socket(self) -> None:
        if self._address.path and self._address.passed < 0:
            Path(self._address.path).unlink(missing_ok=True)
        for listening in self._listening.values():
            listening.close()
        self._listening.clear()

    def _spawn_worker(  # type: ignore[override]  # MPServer's own has one argument less than that of its base
        self, idx: int, target: Any, callback_loader: Loader
    ) -> WorkerProcess:
        holder = cast("type[Any]", SocketHolder)  # its stub has no constructor
        self._shd = holder(self._listen(idx).fileno(), bool(self._address.path), BACKLOG)
        return super()._spawn_worker(idx, target, partial(self._begin_work, idx, callback_loader))

    def _begin_work(self, idx: int, loader: Loader) -> Any:
        # Runs in the worker. A copy of another worker's socket would keep it open when that worker closes its own.
        for key, listening in self._listening.items():
            if key in (idx, _SHARED):
                listening.detach()
            else:
                listening.close()
        # Killed supervisors must not leave workers behind that hold the port and that nobody can stop.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != self._pid:
            os._exit(0)
        return loader()

    def _begin_keeping(self, keep: Callable[[], None]) -> None:
        # Runs in the keeper. A worker that ends must take its socket with it, or clients would wait for nobody.
        for listening in self._listening.values():
            listening.close()
        keep()

    def startup(self, spawn_target: Any, target_loader: Any) -> None:
        """Start the workers, then the keeper."""
        super().startup(spawn_target, target_loader)
        if self._is_kept():
            self._keeping.start()

    def signal_handler_reload(self, *args: Any, **kwargs: Any) -> None:
        """SIGHUP."""
        self._is_asked = True
        super().signal_handler_reload(*args, **kwargs)

    def look_again(self) -> None:
        """Ask `renew`, though nobody has sent a signal. In any thread."""
        super().signal_handler_reload()

    def _reload(self, spawn_target: Any, target_loader: Any) -> None:
        self.reload_signal = False
        self.main_loop_interrupt.clear()
        is_asked, self._is_asked = self._is_asked, False
        if self._renew(is_asked):
            if self._keeping.is_started or self._is_kept():
                self._keeping.renew()
            for idx in range(self.workers):
                self._replace(idx, spawn_target, target_loader)
        self._wake()

    def _replace(self, idx: int, spawn_target: Any, target_loader: Any) -> None:
        if self.interrupt_signal:
            return
        old, new = self.wrks[idx], self._spawn_worker(idx, spawn_target, target_loader)
        new.start()
        self.wrks[idx] = new
        # Both take connections meanwhile: they have the same socket.
        self.main_loop_interrupt.wait(_PAUSE)
        old.interrupt_by_parent = True
        with suppress(ProcessLookupError):
            os.kill(old.inner.pid, LEAVE)
        self._leaving = [*(one for one in self._leaving if one.is_alive()), old]
        for one in self._leaving[: -_MOST_LEAVING * self.workers]:
            log.warning("worker_ended_early", pid=one.inner.pid, reason="renewed too often while requests go on")
            one.kill()

    def _respawn_workers(self, workers: Sequence[int], spawn_target: Any, target_loader: Any, delay: float = 0) -> None:
        for idx in workers:
            if not self.wrks[idx].inner.is_alive():
                self._mourn(idx, self.wrks[idx])
        super()._respawn_workers(workers, spawn_target, target_loader, delay)
        if self._age(self._started) > self._patience.settling:
            # What makes Granian give up where a worker ends twice within seconds.
            self.respawned_wrks.clear()
        self._wake()

    def _wake(self) -> None:
        """Let the loop look again at what came before the event was cleared: nothing else would."""
        if self.interrupt_signal or self.interrupt_children or self.reload_signal:
            self.main_loop_interrupt.set()

    def _mourn(self, idx: int, worker: WorkerProcess) -> None:
        log.error("worker_ended", worker=idx + 1, pid=worker.inner.pid, status=worker.inner.exitcode)
        if self._age(worker.birth) < self._patience.settling < self._age(self._started):
            if len(self._listening) > 1:
                # Else what the kernel gives to this socket would wait as long as we do.
                self._listening.pop(idx).close()
            self.main_loop_interrupt.wait(_PAUSE)

    def _leave(self) -> None:
        # Who connects from now on waits for whoever is started next with the same socket.
        for worker in self.wrks:
            worker.interrupt_by_parent = True
            with suppress(ProcessLookupError):
                os.kill(worker.inner.pid, LEAVE)
        deadline = time.monotonic() + _LAST_ANSWERS
        for worker in self.wrks:
            worker.join(max(0.0, deadline - time.monotonic()))

    def _age(self, since: float) -> float:
        return time.monotonic() - since

    def signal_handler_interrupt(self, *args: Any, **kwargs: Any) -> None:
        """Stop; at the second signal at once."""
        if os.getpid() != self._pid:
            os._exit(0)  # a worker that has not begun yet
        if self.interrupt_signal:
            for worker in self.wrks:
                worker.inner.kill()
        self.interrupt_signal = True
        self.main_loop_interrupt.set()

    def shutdown(self, exit_code: int = 0) -> None:
        """End the keeper, which takes no time, and the workers."""
        self._keeping.stop()
        if self._address.passed >= 0:
            self._leave()
        self.wrks += [one for one in self._leaving if one.is_alive()]
        try:
            super().shutdown(exit_code)
        except SystemExit:
            # A signal to the whole group ends workers before we do, which is no failure.
            if not self.interrupt_signal:
                raise
        # All is done: another signal must not turn this into a failure while the interpreter ends.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
