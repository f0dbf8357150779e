"""Sending a response through the server, each kind of body in the cheapest way there is."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sized
from contextlib import suppress
from functools import partial
from typing import TypeVar, assert_never

from granian._granian import RSGIHTTPProtocol as HTTPProtocol  # granian.rsgi re-exports them, but not for type checkers
from granian._granian import RSGIProtocolClosed as ProtocolClosed

from entrepot.api.message import Response
from entrepot.api.piping import CAPACITY, Pipe
from entrepot.content import Body, Bytes, GrowingFile, LocalFile, Redirect, Stream
from entrepot.wire.ranges import Span

Piece = TypeVar("Piece", bound=Sized)

_HEAD_PATIENCE = 0.02
"""Seconds; containerd waits 30 for the head of an answer, and nobody wants to wait for one that could be there."""


class ShortBody(Exception):
    """A body ended before its promised length; the server closes the connection when the handler raises."""


def send_at_once(protocol: HTTPProtocol, method: str, response: Response) -> None:
    """Send a response whose body does not arrive over time. Where the client has left there is nothing to do."""
    with suppress(ProtocolClosed):
        _send_present(protocol, response, None if method == "HEAD" else response.body)


async def send(protocol: HTTPProtocol, method: str, response: Response) -> None:
    """Returns when all is handed over, or when the client has left. Raises ShortBody."""
    body = None if method == "HEAD" else response.body
    if isinstance(body, Stream | GrowingFile):
        try:
            await _send_arriving(protocol, response, body)
        finally:
            await close(body)
    else:
        _send_present(protocol, response, body)


async def close(body: Stream | GrowingFile) -> None:
    """Let go of what it holds."""
    await (body.chunks if isinstance(body, Stream) else body.pieces).aclose()


def _send_present(protocol: HTTPProtocol, response: Response, body: Body | None) -> None:
    match body:
        case None:
            protocol.response_empty(response.status, response.headers)
        case Bytes(content):
            protocol.response_bytes(response.status, response.headers, content)
        case LocalFile(path, Span(start, stop)):
            protocol.response_file_range(response.status, response.headers, path, start, stop)
        case LocalFile(path):
            protocol.response_file(response.status, response.headers, path)
        case Redirect(url):
            protocol.response_empty(307, [*response.headers, ("location", url)])
        case Stream() | GrowingFile():
            raise TypeError("its bytes arrive over time")
        case _:
            assert_never(body)


async def _send_arriving(protocol: HTTPProtocol, response: Response, body: Stream | GrowingFile) -> None:
    try:
        if body.length > CAPACITY:
            sent = await _send_piped(protocol, response, body)
        else:
            sent = await _send_chunks(protocol, response, arriving(body))
    except (ProtocolClosed, BrokenPipeError, TimeoutError):
        return
    if sent != body.length:
        raise ShortBody(f"{sent} of {body.length} bytes")


async def _send_chunks(protocol: HTTPProtocol, response: Response, chunks: AsyncIterator[bytes]) -> int:
    transport = protocol.response_stream(response.status, response.headers)
    sent = 0
    async for chunk in chunks:
        await transport.send_bytes(chunk)
        sent += len(chunk)
    return sent


async def arriving(body: Stream | GrowingFile) -> AsyncIterator[bytes]:
    """What arrives over time, as it comes. Only for little: it is read in place. The caller closes it."""
    if isinstance(body, Stream):
        async for chunk in body.chunks:
            yield bytes(chunk)
        return
    # They were written a moment ago, and are in memory.
    async for piece in body.pieces:
        yield os.pread(body.descriptor, len(piece), piece.start) if isinstance(piece, Span) else bytes(piece)


async def _send_piped(protocol: HTTPProtocol, response: Response, body: Stream | GrowingFile) -> int:
    if isinstance(body, Stream):
        return await _send_through(Pipe(_nobody), protocol, response, body.chunks, _write)
    async with body.turn as moved:
        return await _send_through(Pipe(moved), protocol, response, body.pieces, partial(_splice, body.descriptor))


def _nobody(_: int) -> None:
    """A stream has no crowd."""


async def _send_through(
    pipe: Pipe,
    protocol: HTTPProtocol,
    response: Response,
    pieces: AsyncIterator[Piece],
    write: Callable[[Pipe, Piece], Awaitable[None]],
) -> int:
    with pipe:
        begin = partial(protocol.response_file, response.status, response.headers, pipe.path)
        sent = await _deliver(pieces, begin, partial(write, pipe))
        await pipe.opened()
    return sent


async def _write(pipe: Pipe, chunk: bytes | memoryview) -> None:
    await pipe.write(chunk)


async def _splice(descriptor: int, pipe: Pipe, piece: Span | memoryview) -> None:
    if isinstance(piece, Span):
        await pipe.splice(descriptor, piece)
    else:
        await pipe.write(piece)


async def _deliver(
    pieces: AsyncIterator[Piece], begin: Callable[[], None], deliver: Callable[[Piece], Awaitable[None]]
) -> int:
    sent = 0
    async for piece in _announced(pieces, begin):
        await deliver(piece)
        sent += len(piece)
    return sent


async def _announced(pieces: AsyncIterator[Piece], begin: Callable[[], None]) -> AsyncIterator[Piece]:
    """The same pieces; `begin` is called before the first, or when it keeps us waiting."""
    first: asyncio.Future[Piece] = asyncio.ensure_future(anext(pieces))
    try:
        # A body that fails at once can still be answered with an error; but clients give up without a head.
        await asyncio.wait({first}, timeout=_HEAD_PATIENCE)
        if not first.done() or first.exception() is None:
            begin()
        yield await first
    except StopAsyncIteration:
        return
    finally:
        if not first.done():
            first.cancel()
            await asyncio.wait({first})
    async for piece in pieces:
        yield piece
