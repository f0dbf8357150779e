"""A worker's main function: Granian's, with a scheduler that answers hits where it stands.

A request that needs no waiting is answered in the thread that parsed it. To hand it to the event loop's thread, and to
make a task for it, takes longer than all the rest. Must not know what the application answers.
"""

from __future__ import annotations

import asyncio
import signal
from functools import cache
from typing import Any, Protocol, Self

from granian._futures import _cbsched_aioschedule, _future_watcher_wrapper
from granian._granian import CallbackScheduler, RSGIHTTPProtocol, RSGIWorker, WorkerSignal
from granian.rsgi import Scope
from granian.server.mp import WorkerProcess

from entrepot.server.leaving import Leaving

# Their stubs lack the arguments.
_new_scheduler: Any = CallbackScheduler.__new__
_new_worker: Any = RSGIWorker

_SIGNALS = (signal.SIGINT, signal.SIGTERM)

LEAVE = signal.SIGUSR1
"""Tells a worker that another one takes its place."""

_GRACE = 31.0
"""Seconds until connections are told to end; those that are idle have been closed before (Patience.headers)."""


class Application(Protocol):
    """An RSGI application that can answer some requests without waiting."""

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None: ...
    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None: ...
    async def __rsgi__(self, scope: Scope, protocol: RSGIHTTPProtocol) -> None: ...

    def leave(self) -> None:
        """From now on each answer is the last one of its connection. Called in the event loop's thread."""

    def at_once(self, scope: Scope, protocol: RSGIHTTPProtocol) -> bool:
        """Answer now and return True, or leave it alone and return False. Called in a thread of the server."""


class HitScheduler(CallbackScheduler):
    """Called by the server for each request; what is not answered at once becomes a task of the event loop."""

    def __new__(cls, loop: asyncio.AbstractEventLoop, application: Application) -> Self:
        scheduler: Self = _new_scheduler(cls, loop, _future_watcher_wrapper(application.__rsgi__), None, None, None)
        return scheduler

    def __init__(self, loop: asyncio.AbstractEventLoop, application: Application) -> None:
        super().__init__()
        later = _cbsched_aioschedule(loop, self._ctx, _future_watcher_wrapper(application.__rsgi__))
        at_once = application.at_once

        def schedule(watcher: Any) -> None:
            try:
                answered = at_once(watcher.scope, watcher.proto)
            except Exception as error:
                # As for what a task raises: the server closes the connection instead of waiting for an answer.
                watcher.err(error)
                return
            if answered:
                watcher.done()
            else:
                later(watcher)

        self._schedule_fn = schedule


@WorkerProcess.wrap_target
def run_worker(worker_id: int, application: Application, sock: Any, ipc: Any, *options: Any) -> None:
    """Serve until a signal. The arguments are those of Granian's own worker functions, in their order."""
    loop, _, threads, blocking, python, python_idle, backpressure, _, *http = options
    mode, http1, http2, websockets, static, _, tls, _, metrics = http
    stopping = asyncio.Event()
    # uvloop loses signals that come before it runs: they wait until it does.
    signal.pthread_sigmask(signal.SIG_BLOCK, (*_SIGNALS, LEAVE))
    loop.call_soon(signal.pthread_sigmask, signal.SIG_UNBLOCK, (*_SIGNALS, LEAVE))
    shutdown = WorkerSignal()
    # Once: its queue takes one, and at the third it waits for ever with the interpreter locked. When a supervisor is
    # killed several signals come, one for each of its threads (prctl(2), PR_SET_PDEATHSIG).
    stop = cache(shutdown.set)
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop)
    listening = sock[0] or sock[1]
    leaving = Leaving(listening.get_fd())

    async def leave() -> None:
        # Whoever has connected gets an answer; who goes on is told with it to connect anew.
        leaving.stop_accepting()
        application.leave()
        await leaving.emptied(_GRACE)
        stop()

    tasks: list[asyncio.Task[None]] = []  # the loop keeps no strong reference to one
    loop.add_signal_handler(LEAVE, lambda: tasks.append(loop.create_task(leave())))
    shutdown.add_cb(lambda: loop.call_soon_threadsafe(stopping.set))
    application.__rsgi_init__(loop)
    limits = (threads, blocking, python, python_idle, backpressure)
    worker = _new_worker(worker_id, sock, ipc, *limits, mode, http1, http2, websockets, static, *tls, metrics)
    is_unix = listening.is_uds()
    serve = worker.serve_str_uds if is_unix else worker.serve_str
    serve(HitScheduler(loop, application), loop, shutdown)
    loop.run_until_complete(stopping.wait())
    application.__rsgi_del__(loop)
