"""An endpoint of notifications: a small HTTP server that keeps what it is sent, and answers as it is told to."""

import json
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

Behaviour = Callable[[int], int]
"""The status for the so-manieth request, counted from 0."""


class Endpoint:
    """Listens as long as its context is open, and again at the same port in the next one; by TLS where it is given."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.received: list[dict[str, Any]] = []
        """Events that were taken."""
        self.requests: list[tuple[dict[str, str], bytes]] = []
        """Headers and body of all that were sent."""
        self.answer: Behaviour = lambda _: 200
        self.hangs = threading.Event()
        self.location = ""
        """Where a redirect leads."""
        self._context = context
        self._port = 0
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self._context else 'http'}://127.0.0.1:{self._port}/events"

    def __enter__(self) -> Self:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                endpoint.requests.append(({key.lower(): value for key, value in self.headers.items()}, body))
                while endpoint.hangs.is_set():
                    time.sleep(0.01)
                status = endpoint.answer(len(endpoint.requests) - 1)
                if 200 <= status < 300:
                    endpoint.received += json.loads(body)["events"]
                self.send_response(status)
                self.send_header("Content-Length", "0")
                if endpoint.location:
                    self.send_header("Location", endpoint.location)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its base's name
                """Nobody reads it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._server.daemon_threads = True
        if self._context is not None:
            self._server.socket = self._context.wrap_socket(self._server.socket, server_side=True)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hangs.clear()
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()
