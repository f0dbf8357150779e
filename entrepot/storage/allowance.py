"""What uploads may take of the store: bytes of one blob, open sessions of one repository, and what has to stay free.

Must not know who uploads, or how free space is measured.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from entrepot.driver import NoSpace
from entrepot.oci.errors import BlobTooLarge

_LOOK = 16 * 1024 * 1024
"""Bytes after which an upload looks again whether there is room."""


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Allowance:
    """`blob` is the most bytes that one may have, `sessions` the most open uploads of a repository; 0 is no bound.

    `is_short` says whether less is free than has to be.
    """

    blob: int = 0
    sessions: int = 10_000
    is_short: Callable[[], bool] = _never

    def check_room(self) -> None:
        """Raise NoSpace where uploads have to stop."""
        if self.is_short():
            raise NoSpace("less of the file system is free than storage.maintenance.uploadlimits.minfree")

    async def bounded(self, chunks: AsyncIterator[bytes], at: int) -> AsyncIterator[bytes]:
        """The chunks that go to offset `at` and on. Raises BlobTooLarge and NoSpace where they must not."""
        self.check_room()
        end, looked = at, at
        async for chunk in chunks:
            end += len(chunk)
            if self.blob and end > self.blob:
                raise BlobTooLarge(f"larger than {self.blob} bytes")
            if end - looked >= _LOOK:
                self.check_room()
                looked = end
            yield chunk
