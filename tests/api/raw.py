"""HTTP/1.1 by hand, for what a well-behaved client never sends: odd paths, halves of bodies, early goodbyes."""

import http.client
import socket
import struct
from types import TracebackType
from typing import Self

from tests.servers import ANSWER_LIMIT


class RawConnection:
    """A TCP connection to a server on 127.0.0.1; closed when its context is left."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_LIMIT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send_head(self, method: str, target: str, **headers: str) -> None:
        """Send a request line and headers; Host is added, and `_` in a name stands for `-`."""
        lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1"))

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def await_continue(self) -> None:
        """Read the interim answer to `Expect: 100-continue`, after which the server is reading the body."""
        interim = b""
        while not interim.endswith(b"\r\n\r\n"):
            byte = self._socket.recv(1)
            assert byte, f"closed after {interim!r}"
            interim += byte
        assert interim.startswith(b"HTTP/1.1 100 "), interim

    def answer(self, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        """Read one answer: status, headers by lower-case name, body."""
        response = http.client.HTTPResponse(self._socket, method=method)
        try:
            response.begin()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return response.status, headers, response.read()
        finally:
            response.close()

    def close(self) -> None:
        """Close politely; may be repeated."""
        self._socket.close()

    def reset(self) -> None:
        """Close at once and rudely, with RST instead of FIN."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()


def exchange(port: int, method: str, target: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """One request without a body on a connection of its own."""
    with RawConnection(port) as connection:
        connection.send_head(method, target, Connection="close", **headers)
        return connection.answer(method)
