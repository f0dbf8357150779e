"""HTTP/2 by hand, without TLS: a connection that sends what it is told and can break off anywhere."""

import socket
from types import TracebackType
from typing import Self

import h2.config
import h2.connection
import h2.events
from h2.errors import ErrorCodes

from tests.servers import ANSWER_LIMIT


class Http2Wire:
    """A connection to 127.0.0.1 by prior knowledge; closed when its context is left."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_LIMIT)
        self._state = h2.connection.H2Connection(
            h2.config.H2Configuration(validate_outbound_headers=False, normalize_outbound_headers=False)
        )
        self._state.initiate_connection()
        self._flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def begin(self, method: str, path: str, *headers: tuple[str, str], ended: bool = False) -> int:
        """Send the headers of a request; return its stream."""
        stream = self._state.get_next_available_stream_id()
        pseudo = [(":method", method), (":path", path), (":scheme", "http"), (":authority", "localhost")]
        self._state.send_headers(stream, [*pseudo, *headers], end_stream=ended)
        self._flush()
        return stream

    def send(self, stream: int, data: bytes, *, ended: bool = False) -> None:
        """Send a DATA frame; small enough for the windows that a connection begins with."""
        self._state.send_data(stream, data, end_stream=ended)
        self._flush()

    def cancel(self, stream: int) -> None:
        """Send RST_STREAM, as a client that does not want its request any more."""
        self._state.reset_stream(stream, ErrorCodes.CANCEL)
        self._flush()

    def status(self, stream: int) -> int | None:
        """The status of the answer; None when the stream or the connection is broken off before one."""
        while True:
            received = self._socket.recv(65536)
            if not received:
                return None
            for event in self._state.receive_data(received):
                if isinstance(event, h2.events.ResponseReceived) and event.stream_id == stream:
                    return int(dict(event.headers or ())[b":status"])
                if isinstance(event, h2.events.StreamReset) and event.stream_id == stream:
                    return None
            self._flush()

    def _flush(self) -> None:
        self._socket.sendall(self._state.data_to_send())
