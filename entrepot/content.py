"""The nouns that cross every boundary: blobs, manifests, and how an answer's bytes are to be sent.

Storage describes an answer with a `Body`; only the API's adapter sends one. Must not know HTTP.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, TypeVar

from entrepot.oci.descriptor import Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Parsed
from entrepot.wire.ranges import Span

T_co = TypeVar("T_co", covariant=True)


class ClosingIterator(Protocol[T_co]):
    """What arrives over time, and holds something until it is closed; an async generator is one."""

    def __aiter__(self) -> AsyncIterator[T_co]: ...

    def __anext__(self) -> Awaitable[T_co]: ...

    def aclose(self) -> Awaitable[None]:
        """Let go of what it holds; safe twice."""


@dataclass(frozen=True, slots=True)
class Bytes:
    """Bytes that are in memory anyway: exactly what is to be sent."""

    content: bytes


@dataclass(frozen=True, slots=True)
class LocalFile:
    """Bytes in a file of this machine; `span` None means the whole file."""

    path: str
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """Bytes that arrive over time; `length` bytes exactly, or the sender must break the connection.

    The sender calls their `aclose`.
    """

    chunks: ClosingIterator[bytes | memoryview]
    length: int


def _nobody(_: int) -> None:
    """There is no crowd."""


@dataclass(frozen=True, slots=True)
class GrowingFile:
    """Bytes in a local file that is still being written.

    `pieces` come in order, as they become known: spans of what may be read of the open file `descriptor`, or bytes that
    the file could not take; `length` in all, or the sender must break the connection. The sender calls their `aclose`,
    before which the file stays open; and is inside `turn` while it sends, so that a crowd comes one by one, and
    tells it what has gone.
    """

    descriptor: int
    pieces: ClosingIterator[Span | memoryview]
    length: int
    turn: AbstractAsyncContextManager[Callable[[int], None]] = field(default_factory=lambda: nullcontext(_nobody))


@dataclass(frozen=True, slots=True)
class Redirect:
    """Bytes that the client can fetch itself."""

    url: str


Body = Bytes | LocalFile | Stream | GrowingFile | Redirect


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob as found: its descriptor, the body, and the span the body holds; None is the whole."""

    descriptor: Descriptor
    body: Body
    span: Span | None = None


Select = Callable[[int], Span | None]
"""Chooses, once the size is known, what of a blob is wanted; may raise to refuse."""


@dataclass(frozen=True)
class Manifest:
    """A manifest as stored, byte for byte, with what its bytes say."""

    digest: Digest
    content: bytes
    parsed: Parsed

    @property
    def media_type(self) -> str:
        return self.parsed.media_type

    @cached_property
    def descriptor(self) -> Descriptor:
        """As a referrer is listed: with the artifact type and annotations of the manifest itself (OCI 1.1)."""
        return Descriptor(
            media_type=self.parsed.media_type,
            digest=self.digest,
            size=len(self.content),
            annotations=self.parsed.annotations,
            artifact_type=self.parsed.artifact_type,
        )
