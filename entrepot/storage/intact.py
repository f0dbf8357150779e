"""Whether content is what its name says: every byte of it is read. Needs local files."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from entrepot.driver import Driver, LocalPaths, PathInvalid, PathNotFound
from entrepot.oci.digest import Digest
from entrepot.storage import layout
from entrepot.storage.contents import contents
from entrepot.storage.evicted import Identity
from entrepot.storage.findings import Finding, confirmed

_BATCH = 1000
_AT_ONCE = 2
"""Files that are hashed at the same time."""


class _Damage(NamedTuple):
    text: str
    identity: Identity | None = None
    is_certain: bool = True
    """Whether it is the content that is damaged, and not we who may not read it."""


class Contents:
    """All content of a registry. `passed` is told the bytes of each that was read; `pause` is in seconds."""

    def __init__(self, driver: Driver, local: LocalPaths, passed: Callable[[int], None], pause: float = 0.5) -> None:
        self._driver = driver
        self._local = local
        self._passed = passed
        self._pause = pause

    async def size(self) -> int:
        """Bytes of all of it, as far as it can be known."""
        total = 0
        async for digests in contents(self._driver, _BATCH):
            for digest in digests:
                with suppress(PathNotFound, PathInvalid, OSError):
                    total += (await self._driver.stat(layout.blob_data(digest))).size
        return total

    async def findings(self) -> AsyncIterator[Finding]:
        """What is wrong with it, whoever needs it."""
        async for digests in contents(self._driver, _BATCH):
            for start in range(0, len(digests), _AT_ONCE):
                some = digests[start : start + _AT_ONCE]
                found = await asyncio.gather(*(confirmed(partial(self._look, one), self._pause) for one in some))
                for digest, damage in zip(some, found, strict=True):
                    if damage is not None:
                        text = f"{digest}: {damage.text}"
                        yield Finding(text, content=digest if damage.is_certain else None, identity=damage.identity)

    async def _look(self, digest: Digest) -> _Damage | None:
        path = layout.blob_data(digest)
        try:
            if (await self._driver.stat(path)).is_directory:
                return _Damage("is a directory")
        except PathNotFound:
            return None
        except PathInvalid:
            return _Damage("is no plain file, or is reached through a symbolic link")
        except OSError as error:
            return _unreadable(error)
        return await asyncio.to_thread(self._hash, self._local.local_path(path), digest)

    def _hash(self, path: str, digest: Digest) -> _Damage | None:
        try:
            with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    return _Damage("is no plain file")
                actual = hashlib.file_digest(file, digest.algorithm).hexdigest()
                size = file.tell()
        except FileNotFoundError:
            return None
        except OSError as error:
            return _unreadable(error)
        self._passed(size)
        if actual == digest.encoded:
            return None
        identity = Identity(status.st_dev, status.st_ino, status.st_ctime_ns)
        return _Damage(f"holds other content, which is {digest.algorithm}:{actual}", identity)


def _unreadable(error: OSError) -> _Damage:
    # A disk that cannot give it back has lost it. Who may not read it, or has too many files open, knows nothing of it.
    return _Damage(f"cannot be read: {error.strerror}", is_certain=error.errno == errno.EIO)
