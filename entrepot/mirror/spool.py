"""A spool: the growing file of a fill and the record of how far it is, shared by all workers of a node.

Whoever holds the lock on the file leads: he alone writes. All others read, in whatever process they are. Must not
know upstreams or HTTP.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

from entrepot.mirror.locks import is_at, lock, unlock

_PROGRESS = struct.Struct("<qqq256p")
_RECORD = struct.Struct(f"<{_PROGRESS.size}sQI")
_UNKNOWN = -1

RUNNING, VERIFIED, KEPT, LOST, UNKEPT = 0, 1, 2, 3, 4
"""States of a fill: under way; all is there and right; it is a blob now; it ended without a word on the blob; the store
can take no more of it, and the rest is to be had from the upstream.

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


class SpoolGone(Exception):
    """Nobody leads this fill, and its file has lost its name: it ended, well or not."""


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
        """Begin a fill, or go on with one that nobody leads any more. Raises SpoolBusy where somebody does."""
        os.makedirs(os.path.dirname(path), exist_ok=True)
        data = _begin(path)
        while data is None:
            data = _begin(path)
        with ExitStack() as undo:
            # Else nobody could follow, and while the file is open nobody could lead.
            undo.callback(os.close, data)
            undo.callback(_unlink, path)
            record = _open(_record_path(path), os.O_RDWR | os.O_CREAT)
            undo.callback(os.close, record)
            undo.callback(_unlink, _record_path(path))
            spool = cls(path, data, record, leads=True)
            spool.resume(name)
            undo.pop_all()
        return spool

    @classmethod
    def follow(cls, path: str) -> Self:
        """Open a fill that another process leads. Raises FileNotFoundError where it is over, or has hardly begun."""
        data = _open(path, os.O_RDWR)  # it may come to lead
        try:
            return cls(path, data, _open(_record_path(path), os.O_RDWR), leads=False)
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

    def take_over(self) -> bool:
        """For followers: lead from now on, where the process that led is gone and has left the fill as it was.

        Raises SpoolGone where it is gone and has not.
        """
        if not lock(self._data):
            return False
        if not is_at(self._data, self.path):
            unlock(self._data)
            raise SpoolGone(self.path)
        self.leads = True
        last = self.progress()
        self.resume("" if last is None else last.name)
        return True

    def resume(self, name: str) -> None:
        """For leaders: make what is in the file the beginning of the fill, to be hashed again before it is read.

        Without a record of it nobody can tell what it is, and it is dropped.
        """
        last = self.progress()
        if last is None or last.state not in (RUNNING, VERIFIED) or (last.size or 0) < self.length():
            os.ftruncate(self._data, 0)
            last = None
        os.lseek(self._data, 0, os.SEEK_END)
        size = None if last is None else last.size
        self.report(Progress(size, 0, RUNNING, name if last is None else last.name))

    def length(self) -> int:
        """Bytes in the file."""
        return os.fstat(self._data).st_size

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
    """The file at `path`, locked; None where it is to be tried again. Raises SpoolBusy."""
    with ExitStack() as undo:
        data = _open(path, os.O_RDWR | os.O_CREAT)
        undo.callback(os.close, data)
        if not lock(data):
            raise SpoolBusy(path)
        if not is_at(data, path):
            return None
        undo.pop_all()
    return data


def _record_path(path: str) -> str:
    return f"{path}.progress"


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
