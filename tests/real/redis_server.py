"""Debian's `redis-server` as a child process, on a port of loopback, without anything on the disk."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.programs import need
from tests.real.processes import Process, run
from tests.servers import choose_port


class RedisServer:
    """One server, or a sentinel; runs as long as its context is open, each time on the same port."""

    def __init__(self, directory: Path, *options: str, program: Sequence[str] = (), password: str = "") -> None:
        self.port = choose_port()
        self.password = password
        self._directory = directory
        self._options = options
        self._program = program
        self._process: Process | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Self:
        self._directory.mkdir(parents=True, exist_ok=True)
        fixed = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._directory), "--save", ""]
        secured = ["--requirepass", self.password] if self.password else []
        command = [need("redis-server"), *self._program, *fixed, *secured, *self._options]
        self._process = Process(command, self._directory / f"log-{self.port}")
        self._process.wait_until(lambda: self.ask("PING") == "PONG")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.kill()

    def ask(self, *words: str) -> str:
        """What `redis-cli` prints for a command, without quotes; empty where nobody answers."""
        secret = ["-a", self.password, "--no-auth-warning"] if self.password else []
        done = subprocess.run(
            [need("redis-cli"), "-p", str(self.port), *secret, *words], capture_output=True, text=True, check=False
        )
        return done.stdout.strip()


def cluster(directory: Path, count: int = 3) -> list[RedisServer]:
    """The servers of a cluster, not started; `join` makes one of them when they are."""
    return [
        RedisServer(directory / str(number), "--cluster-enabled", "yes", "--cluster-port", str(choose_port()))
        for number in range(count)
    ]


def join(servers: Sequence[RedisServer]) -> None:
    """Make a cluster of them."""
    addresses = [server.address for server in servers]
    run([need("redis-cli"), "--cluster", "create", *addresses, "--cluster-replicas", "0", "--cluster-yes"])
