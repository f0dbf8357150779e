"""A small HTTP/1.1 server on a real socket of 127.0.0.1 that keeps what it received. Knows nothing of registries."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from entrepot.testing.faults import Reply

_HEAD_LIMIT = 64 * 1024
_BODY_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it arrived; header names in lower case, values of a repeated one joined by a comma."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def form(self) -> dict[str, list[str]]:
        return parse_qs(self.body.decode("latin-1"), keep_blank_values=True)


class Origin:
    """One listener. `requests`, `received` (every byte of every connection) and `sent` (body bytes by path) grow."""

    def __init__(self, answer: Callable[[Seen], Reply], tls: ssl.SSLContext | None = None) -> None:
        self._answer = answer
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.port = 0
        self.connections = 0
        self.requests: list[Seen] = []
        self.received = bytearray()
        self.sent: Counter[str] = Counter()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen, on a port that the system chooses the first time and that stays the same over restarts."""
        self._server = await asyncio.start_server(
            self._accept, "127.0.0.1", self.port, ssl=self._tls, reuse_address=True
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Refuse new connections and break off those there are."""
        if self._server is not None:
            self._server.close()
            for connection in list(self._connections):
                connection.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)
            await self._server.wait_closed()
            self._server = None

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        self.connections += 1
        # Without a buffer of its own the server knows, after each drain, that the bytes have left. asyncio's TLS needs
        # one: with a limit of 0 it may forget to wake who drains.
        if self._tls is None:
            writer.transport.set_write_buffer_limits(0)
        try:
            with suppress(ConnectionError, ssl.SSLError):
                await self._serve(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            self._connections.discard(task)
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pending = bytearray()
        while True:
            seen = parse_head(await self._read_head(reader, pending))
            if seen is None:
                return
            if seen.method == "POST":
                seen = replace(seen, body=await self._read_body(reader, pending, seen))
            self.requests.append(seen)
            if not await Delivery(self, seen, self._answer(seen), writer).send():
                return

    async def _read_head(self, reader: asyncio.StreamReader, pending: bytearray) -> bytes:
        while b"\r\n\r\n" not in pending and len(pending) <= _HEAD_LIMIT:
            received = await reader.read(_HEAD_LIMIT)
            if not received:
                return b""
            self.received += received
            pending += received
        head, _, rest = bytes(pending).partition(b"\r\n\r\n")
        pending[:] = rest
        return head

    async def _read_body(self, reader: asyncio.StreamReader, pending: bytearray, seen: Seen) -> bytes:
        length = int(seen.headers.get("content-length", "0"))
        while len(pending) < min(length, _BODY_LIMIT):
            received = await reader.read(_HEAD_LIMIT)
            if not received:
                break
            self.received += received
            pending += received
        body, pending[:] = bytes(pending[:length]), pending[length:]
        return body


def parse_head(head: bytes) -> Seen | None:
    """A request's head; None for what is no HTTP/1.1 GET, HEAD or POST."""
    lines = head.decode("latin-1").split("\r\n")
    method, _, rest = lines[0].partition(" ")
    target, _, version = rest.rpartition(" ")
    if version != "HTTP/1.1" or method not in ("GET", "HEAD", "POST"):
        return None
    headers: dict[str, str] = {}
    for line in filter(None, lines[1:]):
        name, _, value = line.partition(":")
        name = name.strip().lower()
        headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
    return Seen(method, target, headers)


class Delivery:
    """Sends one reply as it says it is to be sent."""

    def __init__(self, origin: Origin, seen: Seen, reply: Reply, writer: asyncio.StreamWriter) -> None:
        self._origin = origin
        self._seen = seen
        self._reply = reply
        self._writer = writer
        self._sent = 0

    async def send(self) -> bool:
        """Send the reply; answer whether the connection may be used again."""
        reply = self._reply
        if reply.raw is not None:
            self._writer.write(reply.raw)
            await self._writer.drain()
            return False
        if reply.stop_at == -1 and not await self._stop():
            return False
        await self._send_head()
        if self._seen.method == "HEAD":
            return True
        return await self._send_body() and reply.framing != "close"

    async def _send_head(self) -> None:
        reply = self._reply
        lines = [f"HTTP/1.1 {reply.status} {_phrase(reply.status)}"]
        lines += [f"{name}: {value}" for name, value in reply.headers]
        if reply.framing == "chunked":
            lines.append("Transfer-Encoding: chunked")
        elif reply.framing == "length" and reply.header("Content-Length") is None:
            lines.append(f"Content-Length: {len(reply.body)}")
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        for piece in _pieces(head, 1 if reply.head_pause else len(head)):
            self._writer.write(piece)
            await self._writer.drain()
            await asyncio.sleep(reply.head_pause)

    async def _send_body(self) -> bool:
        times = 0
        while times < self._reply.repeat:
            for piece in _pieces(self._reply.body, self._reply.piece):
                if not await self._send_piece(piece):
                    return False
            times += 1
        if self._reply.stop_at == self._sent and not await self._stop():
            return False
        if self._reply.framing == "chunked":
            self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()
        return True

    async def _send_piece(self, piece: memoryview) -> bool:
        stop = self._reply.stop_at
        if stop is not None and self._sent <= stop < self._sent + len(piece):
            before, piece = piece[: stop - self._sent], piece[stop - self._sent :]
            await self._put(before)
            if not await self._stop():
                return False
        await self._put(piece)
        # Also without a pause: as long as there is room to send, draining gives nobody else a turn.
        await asyncio.sleep(self._reply.pause)
        return True

    async def _put(self, piece: memoryview) -> None:
        if not piece:
            return
        is_chunk = self._reply.framing == "chunked"
        self._writer.writelines([b"%x\r\n" % len(piece), piece, b"\r\n"] if is_chunk else [piece])
        await self._writer.drain()
        self._sent += len(piece)
        self._origin.sent[self._seen.path] += len(piece)

    async def _stop(self) -> bool:
        """Wait at the gate, or break off; answer whether to go on."""
        if self._reply.ending is None:
            assert self._reply.gate is not None
            await self._reply.gate.passed()
            return True
        if self._reply.ending == "reset":
            reset_connection(self._writer)
        return False


def reset_connection(writer: asyncio.StreamWriter) -> None:
    """End the connection with RST instead of FIN."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _pieces(content: bytes, size: int) -> list[memoryview]:
    view = memoryview(content)
    return [view[at : at + size] for at in range(0, len(content), size)]


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
