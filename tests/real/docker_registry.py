"""Debian's `docker-registry` (Distribution 2.8) as a child process: a registry, or a pull-through mirror."""

import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml

from tests.real.processes import Process, ProgramFailed, run

LISTENING = re.compile(r"listening on 127\.0\.0\.1:(\d+)")
ANSWERED = re.compile(r'"([A-Z]+) (\S+) HTTP/1\.[01]" (\d{3}) ')
# The Debian build exports traces unless told not to.
ENVIRONMENT: Mapping[str, str] = {"OTEL_TRACES_EXPORTER": "none"}


class DockerRegistry:
    """A `docker-registry` on the data directory `root`; a restarted one keeps its port. Close it to end it.

    `upstream` makes it a mirror of that registry. `secret` is the `http.secret` that signs upload states.
    """

    def __init__(
        self,
        root: Path,
        *,
        upstream: str | None = None,
        delete: bool = True,
        secret: str | None = None,
        access_log: bool = True,
    ) -> None:
        self._scratch = Path(tempfile.mkdtemp(prefix="docker-registry-"))
        self._config = self._scratch / "config.yml"
        self._log = self._scratch / "log"
        self._settings = _settings(root, upstream, delete, access_log)
        self._http = {"secret": secret} if secret else {}
        self._port = 0
        self._process: Process | None = None

    @property
    def address(self) -> str:
        """`127.0.0.1:port`, as in an image's name."""
        return f"127.0.0.1:{self._port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise ProgramFailed("docker-registry is not running")
        return self._process.pid

    def start(self) -> Self:
        """Start the server and return once it listens."""
        self._write_config()
        process = Process(["docker-registry", "serve", str(self._config)], self._log, ENVIRONMENT)
        self._process = process
        process.wait_until(lambda: LISTENING.search(process.output()) is not None)
        listening = LISTENING.search(process.output())
        assert listening is not None
        self._port = int(listening.group(1))
        return self

    def stop(self) -> None:
        """End the server; the data directory, the log and the port are kept for the next start."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def close(self) -> None:
        """End the server and forget its log."""
        self.stop()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def collect(self, *options: str) -> str:
        """Run `garbage-collect` on the data directory and return what it printed; servers on it should be stopped."""
        self._write_config()
        return run(["docker-registry", "garbage-collect", *options, str(self._config)], ENVIRONMENT)

    def requests(self, method: str, part: str) -> list[str]:
        """Return the paths of all requests answered so far with this method and `part` in their path."""
        text = self._log.read_text(errors="replace")
        return [path for seen, path, _status in ANSWERED.findall(text) if seen == method and part in path]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write_config(self) -> None:
        http = {"addr": self.address, **self._http}
        self._config.write_text(yaml.safe_dump({**self._settings, "http": http}))


def _settings(root: Path, upstream: str | None, delete: bool, access_log: bool) -> dict[str, object]:
    storage = {
        "filesystem": {"rootdirectory": str(root)},
        "delete": {"enabled": delete},
        "cache": {"blobdescriptor": "inmemory"},
        "maintenance": {"uploadpurging": {"enabled": False}},
    }
    settings: dict[str, object] = {
        "version": 0.1,
        "log": {"level": "info", "accesslog": {"disabled": not access_log}},
        "storage": storage,
    }
    if upstream is not None:
        settings["proxy"] = {"remoteurl": upstream}
    return settings
