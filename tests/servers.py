"""`entrepot serve` as a child process, each with a configuration and a data directory of its own."""

import secrets
import socket
import ssl
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import yaml

from tests.leaks import check_printed
from tests.real.processes import Process, ProgramFailed, run

COMMAND = (sys.executable, "-m", "entrepot", "serve")

# Met only by an answer that never comes; nothing is measured against it.
ANSWER_LIMIT = 60.0


class Server:
    """A server in `directory`, on a port that stays the same over restarts.

    `settings` are merged into `base_settings`; `root` lets several servers share a data directory; `prefix` is put
    before the command, to run it under another program. As a context manager it is started and stopped.
    """

    def __init__(
        self,
        directory: Path,
        settings: Mapping[str, Any] | None = None,
        *,
        root: Path | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        self.directory = directory
        self.root = root if root is not None else directory / "data"
        self.port = choose_port()
        self.settings = merge(base_settings(self.root, self.port), settings or {})
        self._prefix = tuple(prefix)
        self._process: Process | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{'https' if 'tls' in self.settings['http'] else 'http'}://{self.address}"

    @property
    def pid(self) -> int:
        """The process that was started, which is also the id of its process group."""
        return self._running().pid

    @property
    def socket_path(self) -> str | None:
        """Where the server listens when that is a unix socket."""
        listener = self.settings["http"]
        return listener["addr"] if listener.get("net") == "unix" else None

    @property
    def base_path(self) -> str:
        """The path of the API, `/v2/` behind the prefix."""
        return f"{self.settings['http'].get('prefix', '').rstrip('/')}/v2/"

    def start(self) -> Self:
        """Write the configuration and return once `/v2/` is answered; raises ProgramFailed with what was printed."""
        self.directory.mkdir(parents=True, exist_ok=True)
        config = self.directory / "config.yml"
        config.write_text(yaml.safe_dump(self.settings))
        self._process = Process([*self._prefix, *COMMAND, str(config)], self.directory / "log")
        self._process.wait_until(self.answers)
        return self

    def stop(self) -> None:
        """Send SIGTERM and wait; raises ProgramFailed unless the server then ends by itself and well.

        As `kill`, raises AssertionError where it has printed a secret.
        """
        process, self._process = self._running(), None
        status = process.stop()
        if status != 0:
            raise ProgramFailed(f"ended with {status} after SIGTERM:\n{process.output()[-4000:]}")
        check_printed(process.output())

    def kill(self) -> None:
        """End every process of the server at once, as a crash would."""
        process, self._process = self._running(), None
        process.kill()
        check_printed(process.output())

    def collect(self, *options: str) -> str:
        """Run `garbage-collect` with the server's configuration and return what it printed."""
        self.directory.mkdir(parents=True, exist_ok=True)
        config = self.directory / "config.yml"
        config.write_text(yaml.safe_dump(self.settings))
        return run([*COMMAND[:-1], "garbage-collect", *options, str(config)])

    def output(self) -> str:
        """What the server has printed since it was started: log lines and access log."""
        return self._running().output()

    def answers(self) -> bool:
        """Tell whether `/v2/` is answered now, whatever the answer is."""
        request = f"GET {self.base_path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        # By hand: httpx leaks a unix socket that it cannot connect.
        with socket.socket(socket.AF_UNIX if self.socket_path else socket.AF_INET) as plain:
            plain.settimeout(ANSWER_LIMIT)
            try:
                plain.connect(self.socket_path or ("127.0.0.1", self.port))
                with unverified().wrap_socket(plain) if self.url.startswith("https:") else plain as connection:
                    connection.sendall(request)
                    return connection.recv(64).startswith(b"HTTP/1.1 ")
            except OSError:
                return False

    def client(self, **options: Any) -> httpx.Client:
        """Return a client, which trusts any certificate and follows no redirect; the caller closes it."""
        if self.socket_path is not None:
            options["transport"] = httpx.HTTPTransport(uds=self.socket_path)
        return httpx.Client(base_url=self.url, timeout=ANSWER_LIMIT, trust_env=False, verify=unverified(), **options)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self.stop()

    def _running(self) -> Process:
        if self._process is None:
            raise ProgramFailed("the server is not running")
        return self._process


def base_settings(root: Path, port: int) -> dict[str, Any]:
    """A registry to push to and delete from, on files below `root`."""
    return {
        "version": 0.1,
        "log": {"level": "info", "accesslog": {"disabled": False}},
        "storage": {"filesystem": {"rootdirectory": str(root)}, "delete": {"enabled": True}},
        "http": {"addr": f"127.0.0.1:{port}", "secret": "only-for-tests", "draintimeout": "10s"},
    }


IN_MEMORY: Mapping[str, Any] = {"storage": {"filesystem": None, "inmemory": {}}}
"""Settings that keep everything in memory."""


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `over` put on it, mapping by mapping; a value of None takes the key away."""
    merged = dict(base)
    for key, value in over.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = value
    return merged


def choose_port() -> int:
    """A free port of 127.0.0.1, below those of outgoing connections so that none of them takes it meanwhile."""
    while True:
        port = 15_000 + secrets.randbelow(15_000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


def unverified() -> ssl.SSLContext:
    """A context that takes a certificate made for the test, and is quick to make since it loads no others."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
