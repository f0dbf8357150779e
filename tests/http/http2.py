"""HTTP/2 frame by frame, without TLS: a connection that sends what it is told and can break off anywhere."""

import socket
from types import TracebackType
from typing import Self

from hpack import Decoder, Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
)

from tests.servers import ANSWER_LIMIT

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
LARGEST_FRAME = 16384
CANCEL = 8  # RFC 9113 §7


class Http2Wire:
    """A connection to 127.0.0.1 by prior knowledge; closed when its context is left."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_LIMIT)
        self._reader = self._socket.makefile("rb")
        self._encoder, self._decoder = Encoder(), Decoder()
        self._last_stream = -1
        self._socket.sendall(PREFACE + SettingsFrame().serialize())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.close()
        self._socket.close()

    def begin(self, method: str, path: str, *headers: tuple[str, str], ended: bool = False) -> int:
        """Send the headers of a request; return its stream."""
        self._last_stream += 2
        pseudo = [(":method", method), (":path", path), (":scheme", "http"), (":authority", "localhost")]
        block = self._encoder.encode([*pseudo, *headers])
        pieces = [block[start : start + LARGEST_FRAME] for start in range(0, len(block), LARGEST_FRAME)]
        frames: list[HeadersFrame | ContinuationFrame] = [HeadersFrame(self._last_stream, pieces[0])]
        frames += [ContinuationFrame(self._last_stream, piece) for piece in pieces[1:]]
        frames[-1].flags.add("END_HEADERS")
        if ended:
            frames[0].flags.add("END_STREAM")
        self._socket.sendall(b"".join(frame.serialize() for frame in frames))
        return self._last_stream

    def send(self, stream: int, data: bytes, *, ended: bool = False) -> None:
        """Send a DATA frame; small enough for the windows that a connection begins with."""
        frame = DataFrame(stream, data)
        if ended:
            frame.flags.add("END_STREAM")
        self._socket.sendall(frame.serialize())

    def cancel(self, stream: int) -> None:
        """Send RST_STREAM, as a client that does not want its request any more."""
        self._socket.sendall(RstStreamFrame(stream, CANCEL).serialize())

    def status(self, stream: int) -> int | None:
        """The status of the answer; None when the stream or the connection is broken off before one."""
        while (frame := self._receive()) is not None:
            if isinstance(frame, SettingsFrame | PingFrame) and "ACK" not in frame.flags:
                frame.flags.add("ACK")
                settings = isinstance(frame, SettingsFrame)
                self._socket.sendall((SettingsFrame(flags=["ACK"]) if settings else frame).serialize())
            elif isinstance(frame, HeadersFrame):
                headers = dict(self._decoder.decode(frame.data, raw=True))
                if frame.stream_id == stream:
                    return int(headers[b":status"])
            elif isinstance(frame, RstStreamFrame) and frame.stream_id == stream:
                return None
        return None

    def _receive(self) -> Frame | None:
        try:
            head = self._reader.read(9)
            if len(head) < 9:
                return None
            frame, length = Frame.parse_frame_header(memoryview(head))
            frame.parse_body(memoryview(self._reader.read(length)))
        except ConnectionResetError:
            return None
        return frame
