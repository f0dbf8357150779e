"""How a replaced worker stops taking connections, while its successor has the same socket, and when it may end."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import suppress
from tempfile import TemporaryDirectory

_LOOK = 0.5
"""Seconds between looks at what is still open."""


class Leaving:
    """Of one worker, by the number under which its listening socket is open."""

    def __init__(self, descriptor: int) -> None:
        with socket.socket(fileno=os.dup(descriptor)) as listening:
            self._family = listening.family
            self._place = _place(listening)
        self._listening = os.fstat(descriptor)

    def stop_accepting(self) -> None:
        """From now on nobody comes to this process by the socket, under whatever numbers it is open here.

        The server cannot be told to do so without breaking off connections whose first request is on its way. So in
        its place stands a socket to which nobody can connect: accept(2) says that there is nobody yet, for ever.
        """
        with TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX) as nobody:
            nobody.bind(os.path.join(directory, "nobody"))
            nobody.listen()
            nobody.setblocking(False)
            for number, status in _open_sockets():
                if os.path.samestat(status, self._listening):
                    os.dup2(nobody.fileno(), number, inheritable=False)

    async def emptied(self, patience: float) -> None:
        """Return when no connection is open any more, or after `patience` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                # At first a connection may be accepted, and not have a number yet.
                await asyncio.sleep(_LOOK)
                while any(self._is_connection(number) for number, _ in _open_sockets()):  # noqa: ASYNC110  # the server tells nobody
                    await asyncio.sleep(_LOOK)

    def _is_connection(self, number: int) -> bool:
        try:
            with socket.socket(fileno=os.dup(number)) as one:
                return one.family == self._family and _place(one) == self._place
        except OSError:  # closed meanwhile
            return False


def _open_sockets() -> Iterator[tuple[int, os.stat_result]]:
    for number in map(int, os.listdir("/proc/self/fd")):
        with suppress(OSError):
            status = os.fstat(number)
            if stat.S_ISSOCK(status.st_mode):
                yield number, status


def _place(one: socket.socket) -> object:
    # A connection to a socket that listens on all addresses has one of them; the port is the same.
    name = one.getsockname()
    return name[1] if isinstance(name, tuple) else name
