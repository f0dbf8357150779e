"""HTTP/1.1 as bytes: whatever is sent, and every answer that comes back until the server closes the connection."""

import json
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from tests.servers import ANSWER_LIMIT

UPLOADS = "/v2/{name}/blobs/uploads/"

PROBE = b"GET /v2/ HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n"
"""Sent last, so that the server closes the connection for sure, and answers twice if it had not done so before."""


@dataclass(frozen=True)
class Answer:
    """One answer: `headers` by lower-case name, the last of a name; `body` may be cut short."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def is_whole(self) -> bool:
        """Whether the body is as long as was promised."""
        return len(self.body) == int(self.headers.get("content-length", "0"))

    @property
    def codes(self) -> list[str]:
        """The codes of an error body."""
        return [error["code"] for error in json.loads(self.body)["errors"]]


class Wire:
    """A connection to 127.0.0.1; closed when its context is left."""

    def __init__(self, port: int, *, receive_buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(ANSWER_LIMIT)
        self.socket.connect(("127.0.0.1", port))
        self._buffer = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> bool:
        """Send all of it; False when the server did not want to hear it all."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def end(self) -> None:
        """Send nothing more, as a client that shuts down its half of the connection."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Close at once and rudely, with RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        self.socket.close()

    def receive(self, size: int = 65536) -> bytes:
        """What has come, at most so much; nothing when the server has closed the connection."""
        try:
            return self.socket.recv(size)
        except ConnectionResetError:
            return b""

    def answer(self, method: str = "GET") -> Answer | None:
        """The next answer; None when the connection is closed before one."""
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if not self._fill():
                return None
        status, headers = _parse_head(self._take(end + 4)[:-4].decode("latin-1"))
        without_body = method == "HEAD" or status in (204, 304) or status < 200
        length = 0 if without_body else int(headers.get("content-length", "0"))
        while len(self._buffer) < length and self._fill():
            pass
        return Answer(status, headers, self._take(length))

    def answers(self, *methods: str) -> list[Answer]:
        """All answers, to requests with these methods, GET after the last of them, until the connection is closed."""
        found: list[Answer] = []
        while True:
            answer = self.answer(methods[len(found)] if len(found) < len(methods) else "GET")
            if answer is None:
                assert not self._buffer, f"left over: {self._buffer[:200]!r}"
                return found
            found.append(answer)

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _fill(self) -> bool:
        received = self.receive(1 << 20)
        self._buffer += received
        return bool(received)


def exchange(port: int, data: bytes, *methods: str) -> list[Answer]:
    """Send bytes and PROBE on a connection of its own; all answers to them, with PROBE's own where it got one."""
    with Wire(port) as wire:
        wire.send(data + PROBE)
        return wire.answers(*methods)


def request(target: str, *lines: str, method: str = "GET", body: bytes = b"", host: str = "localhost") -> bytes:
    """A request with these header lines beside Host, each an ISO 8859-1 text without its CRLF."""
    head = [f"{method} {target} HTTP/1.1", f"Host: {host}", *lines, "", ""]
    return "\r\n".join(head).encode("latin-1") + body


def begin_upload(port: int, name: str) -> str:
    """The path and query of a new upload session."""
    [answer] = exchange(
        port, request(UPLOADS.format(name=name), "Content-Length: 0", "Connection: close", method="POST")
    )[:1]
    assert answer.status == 202
    found = re.fullmatch(r"http://[^/]+(/.*)", answer.headers["location"])
    assert found is not None
    return found[1]


def stored(port: int, location: str) -> int:
    """How many bytes an upload session holds."""
    [answer] = exchange(port, request(location, "Connection: close"))[:1]
    assert answer.status == 204, answer
    end = int(answer.headers["range"].removeprefix("0-"))
    return end + 1 if end else 0


def statuses(answers: Sequence[Answer]) -> list[int]:
    return [answer.status for answer in answers]


def _parse_head(head: str) -> tuple[int, dict[str, str]]:
    status_line, *lines = head.split("\r\n")
    match = re.fullmatch(r"HTTP/1\.[01] ([1-5][0-9]{2}) .*", status_line)
    assert match is not None, f"not a status line: {status_line!r}"
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        assert colon, f"not a header line: {line!r}"
        headers[name.lower()] = value.strip()
    return int(match[1]), headers
