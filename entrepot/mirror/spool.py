"""A spool: the growing file of a fill and the record of how far it is, shared by all workers of a node.

Whoever holds the lock on the file leads: he alone writes. All others read, in whatever process they are. Must not
know upstreams or HTTP.
"""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

_PROGRESS = struct.Struct("<qqq256p")
_RECORD = struct.Struct(f"<{_PROGRESS.size}sQI")
_UNKNOWN = -1

RUNNING, VERIFIED, KEPT, LOST = 0, 1, 2, 3
"""States of a fill: under way; all is there and right; it is a blob now; it ended without a word on the blob.

400 and more: it failed with that status.
"""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a fill is. `size` is None until the upstream has told it; `name` is the repository it was asked under."""

    size: int | None
    written: int
    state: int
    name: str

    @property
    def is_right(self) -> bool:
        """Whether length and digest agree, so that all of it may be read."""
        return self.state in (VERIFIED, KEPT)

    def pack(self) -> bytes:
        return _PROGRESS.pack(
            _UNKNOWN if self.size is None else self.size, self.written, self.state, self.name.encode()
        )

    @classmethod
    def unpack(cls, record: bytes) -> Progress:
        size, written, state, name = _PROGRESS.unpack(record)
        return cls(None if size == _UNKNOWN else size, written, state, name.decode())


class SpoolBusy(Exception):
    """Another process leads this fill."""


class Spool:
    """The two open files. `lead` and `follow` make one; `close` must be called, and gives up the lead."""

    def __init__(self, path: str, data: int, record: int, *, leads: bool) -> None:
        self.path = path
        self.leads = leads
        self._data = data
        self._record = record
        self._inode = os.fstat(data).st_ino

    @classmethod
    def lead(cls, path: str, name: str) -> Self:
        """Begin a fill. Raises SpoolBusy where somebody leads it already."""
        os.makedirs(os.path.dirname(path), exist_ok=True)
        data = _begin(path)
        while data is None:
            data = _begin(path)
        with ExitStack() as undo:
            # Else nobody could follow, and while the file is open nobody could lead.
            undo.callback(os.close, data)
            undo.callback(_unlink, path)
            record = _open(_record_path(path), os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            undo.callback(os.close, record)
            undo.callback(_unlink, _record_path(path))
            spool = cls(path, data, record, leads=True)
            spool.report(Progress(None, 0, RUNNING, name))
            undo.pop_all()
        return spool

    @classmethod
    def follow(cls, path: str) -> Self:
        """Open a fill that another process leads. Raises FileNotFoundError where it is over, or has hardly begun."""
        data = _open(path, os.O_RDONLY)
        try:
            return cls(path, data, _open(_record_path(path), os.O_RDONLY), leads=False)
        except OSError:
            os.close(data)
            raise

    def report(self, progress: Progress) -> None:
        packed = progress.pack()
        os.pwrite(self._record, _RECORD.pack(packed, self._inode, zlib.crc32(packed)), 0)

    def progress(self) -> Progress | None:
        """None where there is no record, where it is just being written, or where it is of another leader's file."""
        record = os.pread(self._record, _RECORD.size, 0)
        if len(record) < _RECORD.size:
            return None
        packed, inode, checksum = _RECORD.unpack(record)
        return Progress.unpack(packed) if inode == self._inode and checksum == zlib.crc32(packed) else None

    def append(self, chunks: Iterable[memoryview]) -> int:
        """Write all of `chunks` at the end, and return how many bytes they were; blocks."""
        size = 0
        for chunk in chunks:
            size += len(chunk)
            rest = chunk
            while rest:
                rest = rest[os.write(self._data, rest) :]
        return size

    @property
    def descriptor(self) -> int:
        """The open file, for whoever reads what was written; valid until `close`."""
        return self._data

    def sync(self) -> None:
        os.fsync(self._data)

    def has_leader(self) -> bool:
        """For followers: whether the process that leads is alive."""
        if not _lock(self._data):
            return True
        fcntl.flock(self._data, fcntl.LOCK_UN)
        return False

    def discard(self) -> None:
        """Take the names away; who has the files open reads on."""
        _unlink(self.path)
        self.discard_record()

    def discard_record(self) -> None:
        """Take the record's name away, once the file itself has become the blob."""
        _unlink(_record_path(self.path))

    def close(self) -> None:
        os.close(self._data)
        os.close(self._record)


def _begin(path: str) -> int | None:
    """A new file at `path`, locked; None where it is to be tried again. Raises SpoolBusy."""
    created = _create(path)
    data = _open_existing(path) if created is None else created
    if data is None:
        return None
    if not _lock(data):
        os.close(data)
        raise SpoolBusy(path)
    is_there = _is_at(data, path)
    if created is not None and is_there:
        return created
    if is_there:
        # A leader died. Its followers keep their file and see that nobody leads it; we begin another.
        _unlink(path)
    os.close(data)
    return None


def _create(path: str) -> int | None:
    try:
        return _open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    except FileExistsError:
        return None


def _open_existing(path: str) -> int | None:
    try:
        return _open(path, os.O_RDWR)
    except FileNotFoundError:
        return None


def _record_path(path: str) -> str:
    return f"{path}.progress"


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
