"""Debian's dockerd, with the containerd it starts, as a child process with directories and a socket of its own."""

import json
import os
import shutil
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.real.processes import LOOPBACK_ONLY, Process, ProgramFailed, run


class Dockerd:
    """A Docker daemon without networks that pulls Docker Hub's images through `mirrors`; needs root.

    It speaks plain HTTP to any registry on 127.0.0.1. Close it to end the daemon, its containerd and all their files.
    """

    def __init__(self, *, mirrors: Sequence[str] = ()) -> None:
        # Sockets live below it, whose paths may have 108 bytes: not in pytest's deep directories.
        self._scratch = Path(tempfile.mkdtemp(prefix="dockerd-", dir="/tmp"))
        self._socket = f"unix://{self._scratch}/sock"
        self._mirrors = list(mirrors)
        self._process: Process | None = None

    def start(self) -> Self:
        """Start the daemon and return once it answers."""
        (self._scratch / "tmp").mkdir(exist_ok=True)
        config = self._scratch / "daemon.json"
        config.write_text(json.dumps({"registry-mirrors": self._mirrors}))
        command = [
            "dockerd",
            f"--config-file={config}",
            f"--data-root={self._scratch}/data",
            f"--exec-root={self._scratch}/exec",
            f"--pidfile={self._scratch}/pid",
            f"--host={self._socket}",
            "--storage-driver=vfs",
            "--iptables=false",
            "--ip6tables=false",
            "--bridge=none",
        ]
        # A containerd that is slow to end writes what it is doing there.
        environment = {**LOOPBACK_ONLY, "TMPDIR": f"{self._scratch}/tmp"}
        process = Process(command, self._scratch / "log", environment)
        self._process = process
        process.wait_until(lambda: "API listen on" in process.output())
        return self

    def close(self) -> None:
        """End the daemon and its containerd and remove everything they wrote."""
        if self._process is not None:
            self._process.stop()
            self._process = None
        self._end_containerd()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def docker(self, *arguments: str) -> str:
        """Run the docker client against this daemon and return its output, or raise ProgramFailed."""
        if self._process is None:
            raise ProgramFailed("dockerd is not running")
        settings = {"DOCKER_HOST": self._socket, "DOCKER_CONFIG": f"{self._scratch}/client"}
        return run(["docker", *arguments], settings)

    def output(self) -> str:
        """What the daemon has logged."""
        return "" if self._process is None else self._process.output()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _end_containerd(self) -> None:
        # A daemon that ended well has stopped it and removed the file.
        try:
            pid = int((self._scratch / "exec/containerd/containerd.pid").read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (FileNotFoundError, ValueError):
            return
        if os.fsencode(self._scratch) in command:
            os.kill(pid, signal.SIGKILL)
