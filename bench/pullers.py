"""Clients that pull images and throw away what comes. One thread drives them all, and the kernel does not even copy the
bodies (MSG_TRUNC), so that the clients, which run on the server's cores, take little of them."""

import re
import selectors
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import urlsplit

LAYERS_AT_ONCE = 3
"""As Docker and containerd do unless told otherwise."""
PATIENCE = 120.0
WINDOW = 1 << 20
LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
ACCEPT = "Accept: application/vnd.oci.image.manifest.v1+json, */*"


@dataclass(frozen=True, slots=True)
class Pull:
    """The path to ask for first, an image's manifest, and those to ask for at once when that is there, its blobs."""

    first: str
    rest: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pulled:
    """What all clients together have pulled, in how many seconds."""

    pulls: int
    bytes: int
    seconds: float


class Connection:
    """One connection, over which one answer at a time is taken; only a 200 of known length is one."""

    def __init__(self, connected: socket.socket, host: str) -> None:
        self.taken = 0
        self._socket = connected
        self._host = host
        self._head = b""
        self._left: int | None = None
        self._window = bytearray(WINDOW)

    def ask(self, path: str) -> None:
        """Send a GET; the answer before must have been taken whole."""
        self._head, self._left = b"", None
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n{ACCEPT}\r\n\r\n".encode())

    def take(self) -> bool:
        """Take some of what has come and tell whether the answer is whole; raises ConnectionError for a bad one."""
        if self._left is None:
            return self._take_head()
        taken = self._socket.recv_into(self._window, min(self._left, WINDOW), socket.MSG_TRUNC)
        if not taken:
            raise ConnectionError(f"closed {self._left} bytes before the end of an answer")
        return self._count(taken)

    def _take_head(self) -> bool:
        piece = self._socket.recv(65536)
        self._head += piece
        head, end, body = self._head.partition(b"\r\n\r\n")
        if not piece:
            raise ConnectionError("closed before an answer")
        if not end:
            return False
        length = LENGTH.search(head + b"\r\n")
        if head[9:12] != b"200" or length is None:
            raise ConnectionError(head.decode(errors="replace"))
        self._left = int(length.group(1))
        return self._count(len(body))

    def _count(self, taken: int) -> bool:
        self.taken += taken
        self._left = (self._left or 0) - taken
        return self._left == 0


class Client:
    """Pulls one image after the other over its connections, as long as the queue it shares with others gives one."""

    def __init__(self, connections: list[Connection], queue: Iterator[Pull]) -> None:
        self.connections = connections
        self.pulled = 0
        self._idle = list(connections)
        self._queue = queue
        self._to_ask: list[str] = []

    def begin(self) -> bool:
        """Ask for the next image and tell whether there is one."""
        pull = next(self._queue, None)
        if pull is None:
            return False
        self._to_ask = list(pull.rest)
        self._idle.pop().ask(pull.first)
        return True

    def answered(self, connection: Connection) -> bool:
        """Go on over a connection whose answer is whole; tell whether there is anything more to do."""
        self._idle.append(connection)
        while self._idle and self._to_ask:
            self._idle.pop().ask(self._to_ask.pop())
        if len(self._idle) < len(self.connections):
            return True
        self.pulled += 1
        return self.begin()


def pull_all(url: str, pulls: Iterable[Pull], clients: int, connections: int = LAYERS_AT_ONCE) -> Pulled:
    """Let so many clients pull it all from a server; raises ConnectionError for an answer that is bad or late."""
    address, queue = urlsplit(url), iter(pulls)
    with ExitStack() as opened, selectors.DefaultSelector() as ready:
        pulling = []
        for _ in range(clients):
            sockets = [opened.enter_context(_connect(address.hostname, address.port)) for _ in range(connections)]
            client = Client([Connection(one, address.netloc) for one in sockets], queue)
            for one, connection in zip(sockets, client.connections, strict=True):
                ready.register(one, selectors.EVENT_READ, (client, connection))
            pulling.append(client)
        started = time.monotonic()
        _drive(ready, sum(client.begin() for client in pulling))
        seconds = time.monotonic() - started
    taken = sum(connection.taken for client in pulling for connection in client.connections)
    return Pulled(sum(client.pulled for client in pulling), taken, seconds)


def _connect(host: str | None, port: int | None) -> socket.socket:
    connected = socket.create_connection((host, port), timeout=PATIENCE)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connected


def _drive(ready: selectors.BaseSelector, busy: int) -> None:
    while busy:
        events = ready.select(PATIENCE)
        if not events:
            raise ConnectionError(f"nothing came for {PATIENCE:.0f} s")
        for key, _ in events:
            client, connection = key.data
            if connection.take() and not client.answered(connection):
                busy -= 1
