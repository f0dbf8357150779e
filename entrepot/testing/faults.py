"""What a test upstream answers, and the ways it can be told to go wrong: each fault turns a reply into a worse one."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace

FOREVER = math.inf


class Gate:
    """A place where a reply waits until a test lets it pass; usable from the server's loop and from any thread."""

    def __init__(self) -> None:
        self._reached: Future[None] = Future()
        self._opened: Future[None] = Future()

    async def reached(self) -> None:
        """Return once a reply waits here."""
        await asyncio.shield(asyncio.wrap_future(self._reached))

    def wait_reached(self, timeout: float) -> None:
        """The same for code without an event loop. Raises TimeoutError."""
        self._reached.result(timeout)

    def open(self) -> None:
        """Let everything pass, now and later. May be called twice."""
        if not self._opened.done():
            self._opened.set_result(None)

    async def passed(self) -> None:
        """For the server: note that somebody is here, and wait until the gate is open."""
        if not self._reached.done():
            self._reached.set_result(None)
        await asyncio.shield(asyncio.wrap_future(self._opened))


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer and how its bytes leave. Content-Length is added unless `framing` is another one.

    `framing`: "length", "chunked", or "close" for a body that the end of the connection ends. `stop_at` counts body
    bytes, -1 stands for "before the first byte of the head"; there the reply waits at `gate` or is broken off by
    `ending`, "cut" (FIN) or "reset" (RST). `repeat` sends the body so many times, FOREVER for an endless one.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    framing: str = "length"
    repeat: float = 1
    stop_at: int | None = None
    gate: Gate | None = None
    ending: str | None = None
    piece: int = 256 * 1024
    pause: float = 0.0
    head_pause: float = 0.0
    raw: bytes | None = None

    def header(self, name: str) -> str | None:
        """The first value of a header."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


Fault = Callable[[Reply], Reply]


def status(code: int, body: bytes = b"", **headers: str) -> Fault:
    """Answer this instead; header names are written with underscores: `Retry_After="5"`."""
    lines = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return lambda _: Reply(code, lines, body)


def header(name: str, value: str | None) -> Fault:
    """Send this header with another value, or not at all."""

    def worsen(reply: Reply) -> Reply:
        kept = tuple(line for line in reply.headers if line[0].lower() != name.lower())
        return replace(reply, headers=kept if value is None else (*kept, (name, value)))

    return worsen


def added_header(name: str, value: str) -> Fault:
    """Send this line too, beside one of the same name."""
    return lambda reply: replace(reply, headers=(*reply.headers, (name, value)))


def body(content: bytes) -> Fault:
    """Send other bytes under the same headers."""
    return lambda reply: replace(reply, body=content)


def flipped(at: int) -> Fault:
    """Send one byte wrong, and as many as before."""
    return lambda reply: replace(reply, body=reply.body[:at] + bytes([reply.body[at] ^ 0xFF]) + reply.body[at + 1 :])


def lying_length(length: int | str) -> Fault:
    """Name another Content-Length than the body has."""
    return header("Content-Length", str(length))


def chunked() -> Fault:
    """Send the body in chunks, without a length."""
    return lambda reply: replace(reply, framing="chunked")


def until_close() -> Fault:
    """Send no length; the end of the connection is the end of the body."""
    return lambda reply: replace(reply, framing="close")


def endless() -> Fault:
    """Send the body again and again, in chunks."""
    return lambda reply: replace(reply, framing="chunked", repeat=FOREVER)


def held(at: int = -1, gate: Gate | None = None) -> Fault:
    """Stall after `at` bytes of the body, 0 after the head, -1 before it; for ever where no gate is given."""
    return lambda reply: replace(reply, stop_at=at, gate=gate or Gate())


def cut(at: int = -1) -> Fault:
    """Close the connection (FIN) after `at` bytes of the body, 0 after the head, -1 before it."""
    return lambda reply: replace(reply, stop_at=at, ending="cut")


def reset(at: int = -1) -> Fault:
    """Reset the connection (RST) after `at` bytes of the body, 0 after the head, -1 before it."""
    return lambda reply: replace(reply, stop_at=at, ending="reset")


def dripping(piece: int, pause: float) -> Fault:
    """Send the body in pieces of so many bytes, with a pause in seconds after each."""
    return lambda reply: replace(reply, piece=piece, pause=pause)


def slow_head(pause: float) -> Fault:
    """Send the head byte by byte, with a pause in seconds after each."""
    return lambda reply: replace(reply, head_pause=pause)


def raw(content: bytes) -> Fault:
    """Send exactly these bytes, be they HTTP or not, and close."""
    return lambda reply: replace(reply, raw=content)
