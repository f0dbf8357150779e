"""Debian's `docker-registry` (Distribution 2.8) as a child process: a registry, or a pull-through mirror."""

import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from tests.real.processes import Process, ProgramFailed, accepts, run
from tests.servers import choose_port, merge

ANSWERED = re.compile(r'"([A-Z]+) (\S+) HTTP/1\.[01]" (\d{3}) ')
# The Debian build exports traces unless told not to.
ENVIRONMENT: Mapping[str, str] = {"OTEL_TRACES_EXPORTER": "none"}


class DockerRegistry:
    """A `docker-registry` on the data directory `root`; a restarted one keeps its port. Close it to end it.

    `upstream` makes it a mirror of that registry, `http` are further settings of its listener, such as the secret
    that signs upload states or a certificate, `auth` is who may do what, `more` whatever else. Without `access_log`
    only errors are logged.
    """

    def __init__(
        self,
        root: Path,
        *,
        upstream: str | None = None,
        http: Mapping[str, Any] | None = None,
        auth: Mapping[str, Any] | None = None,
        access_log: bool = True,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        self._scratch = Path(tempfile.mkdtemp(prefix="docker-registry-"))
        self._config = self._scratch / "config.yml"
        self._log = self._scratch / "log"
        self._port = choose_port()
        self._settings = _settings(root, upstream, access_log) | {"http": {"addr": self.address, **(http or {})}}
        if auth is not None:
            self._settings["auth"] = dict(auth)
        self._settings = merge(self._settings, more or {})
        self._config.write_text(yaml.safe_dump(self._settings))
        self._process: Process | None = None

    @property
    def address(self) -> str:
        """`127.0.0.1:port`, as in an image's name."""
        return f"127.0.0.1:{self._port}"

    @property
    def url(self) -> str:
        return f"{'https' if 'tls' in self._settings['http'] else 'http'}://{self.address}"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise ProgramFailed("docker-registry is not running")
        return self._process.pid

    def start(self) -> Self:
        """Start the server and return once it listens."""
        process = Process(["docker-registry", "serve", str(self._config)], self._log, ENVIRONMENT)
        self._process = process
        process.wait_until(lambda: accepts(self._port))
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


def _settings(root: Path, upstream: str | None, access_log: bool) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "version": 0.1,
        "log": {"level": "info" if access_log else "error", "accesslog": {"disabled": not access_log}},
        "storage": {
            "filesystem": {"rootdirectory": str(root)},
            "delete": {"enabled": True},
            "cache": {"blobdescriptor": "inmemory"},
            "maintenance": {"uploadpurging": {"enabled": False}},
        },
    }
    if upstream is not None:
        settings["proxy"] = {"remoteurl": upstream}
    return settings
