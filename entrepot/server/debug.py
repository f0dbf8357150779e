"""The debug listener: health, figures, and what processes are at. Plain HTTP on an address of its own, for whoever can
reach it.
"""

from __future__ import annotations

import asyncio
import io
import json
import socket
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from entrepot.health.state import HealthState
from entrepot.metrics.exposition import expose
from entrepot.server.debug_pages import BadQuery, page
from entrepot.telemetry import get_logger

if TYPE_CHECKING:  # the module exists for type checkers only
    from wsgiref.types import StartResponse, WSGIEnvironment

log = get_logger(__name__)

_DEADLINE = 10.0
"""Seconds for a whole exchange, however busily its client drips."""

_MOST_CONNECTIONS = 32

Answer = tuple[str, str, bytes]
_NOT_FOUND: Answer = ("404 Not Found", "text/plain; charset=utf-8", b"404 page not found\n")


class DebugListener:
    """A duty: answers on `listening`, with the figures at `path` where there is a directory of them, and `health`.

    `processes` is where the processes of the server can be asked; None where they cannot.
    """

    def __init__(
        self,
        listening: socket.socket,
        path: str,
        figures: Path | None,
        health: HealthState | None = None,
        processes: Path | None = None,
    ) -> None:
        self._listening = listening
        self._path = path
        self._figures = figures
        self._health = health
        self._processes = processes

    async def run(self) -> None:
        """Serve in threads. They do not end at a cancellation, but with the process."""
        server = _Server(self._listening)
        server.set_app(self.answer)
        await asyncio.to_thread(server.serve_forever)

    def answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """The WSGI application."""
        status, content_type, body = self._answer(environ)
        start_response(status, [("Content-Type", content_type), ("Content-Length", str(len(body)))])
        return [body]

    def _answer(self, environ: WSGIEnvironment) -> Answer:
        if environ["REQUEST_METHOD"] != "GET":
            return _NOT_FOUND
        path = environ["PATH_INFO"]
        if path == "/debug/health":
            return _health(self._health)
        if path == self._path and self._figures is not None:
            return _figures(self._figures, environ.get("HTTP_ACCEPT", ""))
        return _NOT_FOUND if self._processes is None else _of_processes(self._processes, environ)


def _health(health: HealthState | None) -> Answer:
    failures = {} if health is None else health.failures()
    status = "503 Service Unavailable" if failures else "200 OK"
    return status, "application/json", json.dumps(failures).encode()


def _figures(directory: Path, accept: str) -> Answer:
    try:
        content_type, body = expose(directory, accept)
    except Exception:
        # Whatever is wrong with a file: the listener goes on.
        log.exception("figures_not_read")
        return "500 Internal Server Error", "text/plain; charset=utf-8", b"the figures cannot be read\n"
    return "200 OK", content_type, body


def _of_processes(directory: Path, environ: WSGIEnvironment) -> Answer:
    try:
        found = page(directory, environ["PATH_INFO"], environ.get("QUERY_STRING", ""))
    except BadQuery as error:
        return "400 Bad Request", "text/plain; charset=utf-8", f"{error}\n".encode()
    return _NOT_FOUND if found is None else ("200 OK", found[0], found[1].encode(errors="replace"))


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def __init__(self, listening: socket.socket) -> None:
        super().__init__(listening.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.server_name, self.server_port = listening.getsockname()[:2]
        self.setup_environ()
        self._lock = threading.Lock()
        self._since: dict[Any, float] = {}

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            is_free = len(self._since) < _MOST_CONNECTIONS
            if is_free:
                self._since[request] = time.monotonic()
        if is_free:
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._since.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Called twice a second: ends what takes too long."""
        latest = time.monotonic() - _DEADLINE
        with self._lock:
            for request, since in self._since.items():
                if since < latest:
                    _end(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("debug_client_lost", client=str(client_address[0]))


class _Handler(WSGIRequestHandler):
    timeout = _DEADLINE

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name of the base class's
        """Nothing: scrapers come every few seconds."""

    def get_stderr(self) -> Any:
        # The traceback of a client that left tells nobody anything.
        return io.StringIO()


def _end(request: Any) -> None:
    with suppress(OSError):  # it has left
        request.shutdown(socket.SHUT_RDWR)
