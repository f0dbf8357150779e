"""A hundred clients that pull slowly, in one process: so many bytes a second each, whatever the server offers."""

import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

PIECE = 64 * 1024


@contextmanager
def slow_readers(url: str, number: int) -> Iterator[list[socket.socket]]:
    """Open this many connections that have all asked for the URL and been answered with 200."""
    parts = urlsplit(url)
    request = f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode()
    with ExitStack() as opened:
        sockets = []
        for _ in range(number):
            connection = opened.enter_context(socket.create_connection((parts.hostname, parts.port), timeout=60))
            connection.sendall(request)
            sockets.append(connection)
        for connection in sockets:
            if not connection.recv(PIECE).startswith(b"HTTP/1.1 200"):
                raise ConnectionError(f"{url}: not answered with 200")
        yield sockets


def read_for(seconds: float, sockets: list[socket.socket]) -> int:
    """Read 64 KiB from each connection ten times a second as long as this lasts; return the bytes that came."""
    received = 0
    end = time.monotonic() + seconds
    with selectors.DefaultSelector() as ready:
        for connection in sockets:
            ready.register(connection, selectors.EVENT_READ, connection.recv)
        while time.monotonic() < end:
            received += sum(len(key.data(PIECE)) for key, _ in ready.select(0.1))
            time.sleep(0.1)
    return received
