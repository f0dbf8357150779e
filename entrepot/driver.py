"""PORT. A driver: a dumb, path-keyed store. It knows nothing of registries; storage/ builds one on it.

Paths are absolute, made of segments of `[A-Za-z0-9._-]`, never `.` or `..`; `drivers/guarded.py` refuses others.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol, runtime_checkable

from entrepot.wire.ranges import Span


class PathNotFound(Exception):
    """Nothing is at the path."""


class PathInvalid(Exception):
    """The path is none that a driver may be asked for, or something that is not a plain file or directory is there."""


class NoSpace(Exception):
    """The store is full (ENOSPC, EDQUOT, a quota)."""


class Locked(Exception):
    """Somebody else holds the lock."""


class Entry(NamedTuple):
    """What is at a path: bytes (0 for a directory), and the time of the last change in seconds since the epoch."""

    size: int
    modified: float
    is_directory: bool


class Writer(Protocol):
    """An open file that grows at its end.

    Leaving its context keeps what was written, so that a later writer may append. Only after `sync` is it durable.
    """

    @property
    def offset(self) -> int:
        """Bytes in the file, written by anybody."""

    async def write(self, chunks: Iterable[bytes]) -> None:
        """Append all of `chunks`, which may be taken on a thread, each once and in order.

        Raises NoSpace; what was written of them then stays unless `truncate` drops it.
        """

    async def truncate(self, size: int) -> None:
        """Drop all bytes from `size` on."""

    async def sync(self) -> None:
        """Make the bytes durable. After a failure the file is not to be trusted: delete it (fsyncgate)."""


class Driver(Protocol):
    """A path-keyed store. Every method may raise PathNotFound, PathInvalid and NoSpace.

    `put`, `move` and `make_directory` are durable, with the directories above, when they return.
    """

    async def get(self, path: str) -> bytes:
        """The whole of a small file, as it is in the store now, whoever changed it."""

    async def put(self, path: str, content: bytes) -> None:
        """Create or replace as a whole: a reader sees the old or the new content, also after a crash."""

    def read(self, path: str, span: Span) -> AsyncGenerator[bytes, None]:
        """The bytes of `span`, in pieces; fewer where the file is shorter. Closes the file when exhausted or closed."""

    def writer(self, path: str) -> AbstractAsyncContextManager[Writer]:
        """Open for appending; the file and its directories are made where they are missing."""

    async def stat(self, path: str) -> Entry:
        """What is there now."""

    async def present(self, paths: Sequence[str]) -> Sequence[bool]:
        """For each path whether a plain file is there; for many of them cheaper than `stat`.

        Raises OSError where that cannot be told.
        """

    async def list(self, path: str, after: str = "", limit: int | None = None) -> Sequence[str]:
        """The names of the direct children greater than `after`, sorted by code point, `limit` at most.

        Memory is bounded by `limit`, not by the number of children.
        """

    async def move(self, source: str, target: str) -> None:
        """Rename a file; a file at `target` is replaced as a whole, and stays untouched where `source` is missing."""

    async def delete(self, path: str) -> None:
        """Remove a file, or a directory with all in it. Names that go away meanwhile do not matter."""

    async def make_directory(self, path: str) -> None:
        """Make a directory and those above; nothing to do where it exists, or where the store has none."""

    def lock(self, path: str) -> AbstractAsyncContextManager[None]:
        """Hold the file at `path` alone, among all processes that share the store.

        Raises Locked at once where somebody holds it, PathNotFound where the file does not exist.
        """


class Seen(Protocol):
    """A plain file as it was when it was looked at. May be used in any thread."""

    @property
    def size(self) -> int:
        """In bytes."""

    @property
    def content(self) -> bytes | None:
        """All of it, or None where memory does not hold it."""

    def stands(self) -> bool:
        """Whether the store has that very file still, unchanged."""


class Part(NamedTuple):
    """All bytes of `span` of a file that holds `size` bytes."""

    size: int
    span: Span
    content: bytes


@runtime_checkable
class Resident(Protocol):
    """Ability of drivers that can tell without waiting what memory holds of a file. May be called in any thread."""

    def at_once(self, path: str) -> Seen | None:
        """The file as it is in the store now; None: `get` or `stat` it."""

    def part_at_once(self, path: str, choose: Callable[[int], Span | None]) -> Part | None:
        """What `choose`, told the file's size, wants of it; None where it wants none, or where it must be `read`.

        Raises what `choose` raises.
        """


@runtime_checkable
class LocalPaths(Protocol):
    """Ability of drivers whose files are files of this machine: they can be sent without passing through Python."""

    def local_path(self, path: str) -> str:
        """Where the file of `path` lies, whether or not it exists."""
