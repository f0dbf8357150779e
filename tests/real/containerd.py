"""Debian's containerd as a child process with directories and a socket of its own, and its client `ctr`."""

import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.real.processes import LOOPBACK_ONLY, Process, ProgramFailed, run

# What pulling and unpacking do not need: runtimes, and snapshotters that ask the kernel for more than a directory.
DISABLED = (
    "io.containerd.grpc.v1.cri",
    "io.containerd.internal.v1.opt",  # makes /opt/containerd
    "io.containerd.internal.v1.restart",
    "io.containerd.monitor.v1.cgroups",
    "io.containerd.runtime.v1.linux",
    "io.containerd.runtime.v2.task",
    *(f"io.containerd.snapshotter.v1.{name}" for name in ("aufs", "btrfs", "devmapper", "overlayfs", "zfs")),
)

CONFIG = """\
version = 2
root = "{scratch}/root"
state = "{scratch}/state"
disabled_plugins = [{disabled}]
[grpc]
address = "{socket}"
"""


class Containerd:
    """A containerd without runtimes, which pulls and unpacks; needs root. Close it to end it and remove its files."""

    def __init__(self) -> None:
        # Its socket's path may have 108 bytes: not in pytest's deep directories.
        self._scratch = Path(tempfile.mkdtemp(prefix="containerd-", dir="/tmp"))
        self._socket = f"{self._scratch}/sock"
        self._process: Process | None = None

    def start(self) -> Self:
        """Start the daemon and return once it serves."""
        config = self._scratch / "config.toml"
        disabled = ", ".join(f'"{plugin}"' for plugin in DISABLED)
        config.write_text(CONFIG.format(scratch=self._scratch, disabled=disabled, socket=self._socket))
        process = Process(["containerd", "--config", str(config)], self._scratch / "log")
        self._process = process
        process.wait_until(lambda: "successfully booted" in process.output())
        return self

    def close(self) -> None:
        """End the daemon and remove everything it wrote."""
        if self._process is not None:
            self._process.stop()
            self._process = None
        shutil.rmtree(self._scratch, ignore_errors=True)

    def pull(self, name: str, hosts: Path) -> str:
        """Pull and unpack an image by the `hosts.toml` files below `hosts`, and return the digest it has here."""
        self.ctr("images", "pull", "--snapshotter", "native", "--hosts-dir", str(hosts), name)
        rows = [line.split() for line in self.ctr("images", "ls", f"name=={name}").splitlines()]
        (digest,) = (row[2] for row in rows if row[0] == name)
        return digest

    def remove(self, name: str) -> None:
        """Remove an image, and return when its content is gone as well."""
        self.ctr("images", "rm", "--sync", name)
        if left := self.ctr("content", "ls", "--quiet"):
            raise ProgramFailed(f"the content of {name} is still there:\n{left}")

    def ctr(self, *arguments: str) -> str:
        """Run the client and return its output, or raise ProgramFailed."""
        if self._process is None:
            raise ProgramFailed("containerd is not running")
        return run(["ctr", "--address", self._socket, *arguments], LOOPBACK_ONLY)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
