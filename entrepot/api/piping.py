"""Pipes: how a stream that may be fast is sent to a client that may be slow.

What is handed to the server's own stream is kept in memory until the client takes it, all of it. A pipe's path is
opened and read like a file's, as fast as the client goes, and holds up its writer.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import struct
import termios
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from entrepot.wire.ranges import Span

CAPACITY = 1024 * 1024
"""Bytes in a pipe at most; the kernel gives less to a user who has many."""

_OPENING = 60.0  # seconds, met only where the server never opens the pipe: its connection is gone
_PAUSE = 0.01


class Pipe:
    """A pipe for one reader who opens `path`. Leaving its context ends what the reader gets.

    `moved` is told each time how many bytes have gone into it.
    """

    def __init__(self, moved: Callable[[int], None]) -> None:
        self._moved = moved
        self._reading, self._writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        with suppress(PermissionError):
            fcntl.fcntl(self._writing, fcntl.F_SETPIPE_SZ, CAPACITY)
        self._written = 0
        self.path = f"/proc/self/fd/{self._reading}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._writing)
        self._forget_reading()

    async def write(self, chunk: bytes | memoryview) -> None:
        """Returns when all is in the pipe. Raises BrokenPipeError when the reader left, TimeoutError if none came."""
        rest = memoryview(chunk)
        while rest:
            try:
                moved = os.write(self._writing, rest)
            except BlockingIOError:
                await self._writable()
                continue
            rest = rest[moved:]
            self._count(moved)

    async def splice(self, descriptor: int, span: Span) -> None:
        """As `write`, with bytes of an open file, which do not pass through this program's memory.

        Raises EOFError where the file does not hold them.
        """
        offset = span.start
        while offset < span.stop:
            try:
                moved = os.splice(descriptor, self._writing, span.stop - offset, offset_src=offset)
            except BlockingIOError:
                await self._writable()
                continue
            if not moved:
                raise EOFError(f"the file ends at {offset}")
            offset += moved
            self._count(moved)

    async def opened(self) -> None:
        """Returns when the reader has come for what was written. Raises TimeoutError if none comes."""
        async with asyncio.timeout(_OPENING):
            while self._reading >= 0 and self._unread():  # noqa: ASYNC110  # nothing tells of it
                await asyncio.sleep(_PAUSE)

    async def _writable(self) -> None:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        loop.add_writer(self._writing, ready.set)
        try:
            async with asyncio.timeout(_OPENING if self._reading >= 0 else None):
                await ready.wait()
        finally:
            loop.remove_writer(self._writing)
        self._forget_reading()

    def _count(self, moved: int) -> None:
        self._written += moved
        self._moved(moved)
        if self._reading >= 0 and self._unread() < self._written:
            self._forget_reading()

    def _unread(self) -> int:
        answer = fcntl.ioctl(self._writing, termios.FIONREAD, bytes(4))
        return int(struct.unpack("i", answer)[0])

    def _forget_reading(self) -> None:
        # Once somebody has read, the path is open. Without our own end, we are told when the reader closes his.
        if self._reading >= 0:
            os.close(self._reading)
            self._reading = -1
