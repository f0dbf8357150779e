"""nginx as a child process on 127.0.0.1, to serve the files of a directory or to stand before another server."""

import os
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.real.processes import Process, ProgramFailed, accepts
from tests.servers import choose_port

MAIN = """\
daemon off;
worker_processes {workers};
{user}
pid {scratch}/pid;
error_log stderr warn;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    client_max_body_size 0;
    client_body_temp_path {scratch}/body;
    proxy_temp_path {scratch}/proxy;
    fastcgi_temp_path {scratch}/fastcgi;
    uwsgi_temp_path {scratch}/uwsgi;
    scgi_temp_path {scratch}/scgi;
    {http}
    server {{
        listen 127.0.0.1:{port};
        {server}
    }}
}}
"""


class Nginx:
    """An nginx on a free port whose `server` and `http` blocks hold the directives given. Close it to end it."""

    def __init__(self, server: str, *, http: str = "", workers: int = 2) -> None:
        self._scratch = Path(tempfile.mkdtemp(prefix="nginx-"))
        self._server = server
        self._http = http
        self._workers = workers
        self._port = choose_port()
        self._process: Process | None = None

    @property
    def address(self) -> str:
        """`127.0.0.1:port`."""
        return f"127.0.0.1:{self._port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise ProgramFailed("nginx is not running")
        return self._process.pid

    def start(self) -> Self:
        """Start the server and return once it accepts connections."""
        config = self._scratch / "nginx.conf"
        config.write_text(
            MAIN.format(
                workers=self._workers,
                # Workers give up root unless told not to, and could then not read a test's directories.
                user="user root;" if os.geteuid() == 0 else "",
                scratch=self._scratch,
                port=self._port,
                server=self._server,
                http=self._http,
            )
        )
        command = ["nginx", "-e", "stderr", "-p", str(self._scratch), "-c", str(config)]
        self._process = Process(command, self._scratch / "log")
        self._process.wait_until(lambda: accepts(self._port))
        return self

    def close(self) -> None:
        """End the server and remove its files."""
        if self._process is not None:
            self._process.stop()
            self._process = None
        shutil.rmtree(self._scratch, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
