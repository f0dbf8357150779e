"""The access log: one line a request in Apache's combined format, as Distribution writes it.

Lines are gathered and written together a few times a second: a write for each would cost more than the request.
"""

from __future__ import annotations

import asyncio
import os
import select
import time
from contextlib import suppress

from entrepot.api.message import Request, Response

_PIECE = 4096  # PIPE_BUF: what several processes may write to one pipe without mixing their lines
_PAUSE = 0.2

# Characters of a line's fields, so that all of them together stay below a piece.
_LONGEST_METHOD = 32
_LONGEST_TARGET = 2048
_LONGEST_HEADER = 512
_WIDEST = 10  # of one character, as `\U0001f4a9`


class AccessLog:
    """Writes to a file descriptor. A log that cannot be written is dropped: it must never hold up an answer."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self._lines: list[str] = []
        self._second = 0
        self._stamp = ""

    def record(self, request: Request, response: Response) -> None:
        """To be called in the event loop, once a request."""
        if not self._lines:
            asyncio.get_running_loop().call_later(_PAUSE, self.flush)
        headers = request.headers
        size = next((value for name, value in response.headers if name == "content-length"), "-")
        query = f"?{request.query}" if request.query else ""
        self._lines.append(
            f"{request.client.rpartition(':')[0] or '-'} - - [{self._time()}] "
            f'"{_printable(request.method, _LONGEST_METHOD)} {_printable(request.path + query, _LONGEST_TARGET)} '
            f'HTTP/{request.version}" {response.status} {size} '
            f'"{_printable(headers.get("referer") or "", _LONGEST_HEADER)}" '
            f'"{_printable(headers.get("user-agent") or "", _LONGEST_HEADER)}"\n'
        )

    def flush(self) -> None:
        """Write what was gathered; also called at the end."""
        lines, self._lines = self._lines, []
        piece = ""
        for line in lines:
            if len(piece) + len(line) > _PIECE:
                self._write(piece)
                piece = ""
            piece += line
        self._write(piece)

    def _write(self, piece: str) -> None:
        # A pipe that says it can be written takes a whole piece: nobody who reads slowly, or not at all, holds us up.
        with suppress(OSError):
            if self._poll.poll(0):
                os.write(self._descriptor, piece.encode())

    def _time(self) -> str:
        now = int(time.time())
        if now != self._second:
            self._second = now
            self._stamp = time.strftime("%d/%b/%Y:%H:%M:%S %z", time.localtime(now))
        return self._stamp


def _printable(text: str, limit: int) -> str:
    """Text of a client, cut, that can neither end the line nor the quotes (CVE-2020-7694)."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return text[:limit]
    return text[: limit // _WIDEST].encode("unicode_escape").decode("ascii").replace('"', '\\"')
