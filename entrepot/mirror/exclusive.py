"""Doing a thing in one worker at a time, by a lock on a file that all can reach. What is done says nothing here."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress

from entrepot.mirror.locks import is_at, lock

_PATIENCE = 30.0  # seconds: beyond that, two workers asking is better than one waiting
_PAUSE = 0.005


@asynccontextmanager
async def exclusive(path: str) -> AsyncIterator[bool]:
    """Hold the file at `path`, which is made and taken away; gives whether another worker was waited for.

    Where no lock is to be had, as on a full disk, the block runs without one.
    """
    held, waited = await _acquire(path)
    try:
        yield waited
    finally:
        if held is not None:
            with suppress(OSError):
                os.unlink(path)
            os.close(held)


async def _acquire(path: str) -> tuple[int | None, bool]:
    deadline = asyncio.get_running_loop().time() + _PATIENCE
    waited = False
    while asyncio.get_running_loop().time() < deadline:
        try:
            descriptor = _try(path)
        except OSError:
            break
        if descriptor is not None:
            return descriptor, waited
        waited = True
        await asyncio.sleep(_PAUSE)
    return None, waited


def _try(path: str) -> int | None:
    with ExitStack() as undo:
        descriptor = _open(path)
        undo.callback(os.close, descriptor)
        if not (lock(descriptor) and is_at(descriptor, path)):
            return None
        undo.pop_all()
    return descriptor


def _open(path: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o666)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return os.open(path, flags, 0o666)
