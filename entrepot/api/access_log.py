"""The access log: one line a request in Apache's combined format, as Distribution writes it.

Lines are gathered and written together a few times a second: a write for each would cost more than the request.
"""

from __future__ import annotations

import asyncio
import os
import re
import select
import time
from collections.abc import Iterator, Sequence

from entrepot.api.message import Request, Response

_PIECE = 4096  # PIPE_BUF: what several processes may write to one pipe without mixing their lines
_STATE = re.compile(r"(_state=)[^&]*")
_MOST = 8192  # lines that wait for a slow reader; what comes then is dropped

# Seconds.
_PAUSE = 0.2
_RETRY = 0.01
_LAST_PATIENCE = 0.1

# Characters of a line's fields, so that all of them together stay below a piece.
_LONGEST_METHOD = 32
_LONGEST_TARGET = 2048
_LONGEST_USER = 128
_LONGEST_HEADER = 512
_WIDEST = 10  # of one character, as `\U0001f4a9`


class AccessLog:
    """Writes to a file descriptor, never waiting for whoever reads it: a log must not hold up an answer."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        # Two threads append; only the event loop's takes away. A list's own methods are atomic.
        self._lines: list[str] = []
        self._is_awaited = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._second = 0
        self._stamp = ""

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Name the event loop that writes, so that other threads may record."""
        self._loop = loop

    def record(self, request: Request, response: Response) -> None:
        """To be called once a request: in the event loop, or in any thread after `begin`."""
        if len(self._lines) >= _MOST:
            return
        self._lines.append(self._format(request, response))
        # After the line, as `_tick` asks for lines after it has taken this back: one of the two sees the other's.
        if not self._is_awaited:
            self._is_awaited = True
            loop = self._loop or asyncio.get_running_loop()
            loop.call_soon_threadsafe(loop.call_later, _PAUSE, self._tick)

    def flush(self) -> None:
        """Write what was gathered; called at the end. Who reads gets a moment to take it, then it is dropped."""
        self._write(_LAST_PATIENCE)
        self._lines.clear()

    def _tick(self) -> None:
        self._is_awaited = False
        self._write(0)
        if self._lines:
            self._is_awaited = True
            asyncio.get_running_loop().call_later(_RETRY, self._tick)

    def _write(self, patience: float) -> None:
        written = 0
        for piece, count in _pieces(self._lines):
            if not self._put(piece, patience):
                break
            written += count
        del self._lines[:written]

    def _put(self, piece: str, patience: float) -> bool:
        try:
            # A pipe that says it can be written takes a whole piece.
            if not self._poll.poll(patience * 1000):
                return False
            os.write(self._descriptor, piece.encode())
        except OSError:
            # Nobody reads it any more, or the disk is full: these lines are lost.
            return True
        return True

    def _format(self, request: Request, response: Response) -> str:
        headers = request.headers
        size = next((value for name, value in response.headers if name == "content-length"), "-")
        # Who reads the log must not be able to go on with somebody's upload.
        query = "?" + _STATE.sub(r"\1***", request.query) if request.query else ""
        return (
            f"{request.client.rpartition(':')[0] or '-'} - {_user(request)} [{self._time()}] "
            f'"{_printable(request.method, _LONGEST_METHOD)} {_printable(request.path + query, _LONGEST_TARGET)} '
            f'HTTP/{request.version}" {response.status} {size} '
            f'"{_printable(headers.get("referer") or "", _LONGEST_HEADER)}" '
            f'"{_printable(headers.get("user-agent") or "", _LONGEST_HEADER)}"\n'
        )

    def _time(self) -> str:
        now = int(time.time())
        if now != self._second:
            self._second = now
            self._stamp = time.strftime("%d/%b/%Y:%H:%M:%S %z", time.localtime(now))
        return self._stamp


def _user(request: Request) -> str:
    return _printable(request.grant.user, _LONGEST_USER).replace(" ", "\\x20") or "-"


def _pieces(lines: Sequence[str]) -> Iterator[tuple[str, int]]:
    """The lines, as many as fit together, and how many they are."""
    piece: list[str] = []
    size = 0
    for line in lines:
        if size + len(line) > _PIECE and piece:
            yield "".join(piece), len(piece)
            piece, size = [], 0
        piece.append(line)
        size += len(line)
    if piece:
        yield "".join(piece), len(piece)


def _printable(text: str, limit: int) -> str:
    """Text of a client, cut, that can neither end the line nor the quotes (CVE-2020-7694)."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return text[:limit]
    return text[: limit // _WIDEST].encode("unicode_escape").decode("ascii").replace('"', '\\"')
