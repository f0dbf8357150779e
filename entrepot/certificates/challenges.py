"""Answers the challenges of an ACME service over HTTP (RFC 8555 §8.3); sends everybody else to https."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

_WELL_KNOWN = "/.well-known/acme-challenge/"
_HOST = re.compile(r"[A-Za-z0-9.\-]{1,253}(?::[0-9]{1,5})?")
_PATIENCE = 10.0  # seconds for a request


class ChallengeListener:
    """Listens while its context is open; `answers` are by token, and may be added meanwhile. Raises OSError."""

    def __init__(self, host: str, port: int, answers: Mapping[str, str]) -> None:
        self._server = _Server((host, port), _handler(answers))

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        if ":" in address[0] or not address[0]:
            self.address_family = socket.AF_INET6 if socket.has_ipv6 else socket.AF_INET
        super().__init__(address, handler)


def _handler(answers: Mapping[str, str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _PATIENCE

        def do_GET(self) -> None:  # its base's name
            token = self.path.removeprefix(_WELL_KNOWN)
            answer = answers.get(token) if token != self.path else None
            if answer is not None:
                self._answer(200, answer.encode())
            elif token != self.path or _HOST.fullmatch(self.headers.get("Host", "")) is None:
                self._answer(404, b"")
            else:
                self._answer(301, b"")

        def do_HEAD(self) -> None:
            self.do_GET()

        def _answer(self, status: int, content: bytes) -> None:
            self.send_response(status)
            if status == 301:
                host = self.headers["Host"].partition(":")[0]
                self.send_header("Location", f"https://{host}{self.path}")
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its base's name
            """Who asks here is of no interest."""

    return Handler
