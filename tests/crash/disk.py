"""A file system in memory whose space and number of files can be changed while a server uses it."""

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.real.processes import run

MEGABYTE = 1 << 20


class SmallDisk:
    """A tmpfs mounted at `path` from enter to exit; needs root."""

    def __init__(self, path: Path, size: int = 16 * MEGABYTE) -> None:
        self.path = path
        self._size = size

    def allow_files(self, number: int | None) -> None:
        """Leave room for `number` more files and directories, or for any number."""
        status = os.statvfs(self.path)
        used = status.f_files - status.f_ffree
        self._mount(f"remount,nr_inodes={100_000 if number is None else used + number}")

    def fill(self) -> None:
        """Take all the space that is left; `free` gives it back."""
        with (self.path / "ballast").open("wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(bytes(4096))
            except OSError:
                return

    def free(self) -> None:
        """Give back what `fill` took."""
        (self.path / "ballast").unlink()

    def __enter__(self) -> Self:
        self.path.mkdir(parents=True)
        self._mount(f"size={self._size},nr_inodes=100000")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        run(["umount", str(self.path)])

    def _mount(self, options: str) -> None:
        run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.path)])
