"""Errors of the operating system in the words of the port. Everything that has no such word stays the OSError it is."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from entrepot.driver import NoSpace, PathInvalid, PathNotFound

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})  # EFBIG: a limit on the size of one file
# ENXIO: a socket, or a FIFO that nobody reads. EISDIR, ENOTDIR: a file and a directory want the same name.
_INVALID = frozenset({errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO, errno.EISDIR, errno.ENOTDIR})


def translate(error: OSError, path: str) -> Exception:
    """The port's error for `error`, or `error` itself."""
    if error.errno == errno.ENOENT:
        return PathNotFound(path)
    if error.errno in _FULL:
        return NoSpace(f"{path}: {error.strerror}")
    if error.errno in _INVALID:
        return PathInvalid(path)
    return error


@contextmanager
def reporting(path: str) -> Iterator[None]:
    """Raise what happens inside in the words of the port."""
    try:
        yield
    except OSError as error:
        translated = translate(error, path)
        if translated is error:
            raise
        raise translated from error
