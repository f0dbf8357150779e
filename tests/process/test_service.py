"""As a service manager runs it: what it is told, the socket that it passes, and a restart that no client notices."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from tests.mirror.serving import wait_until
from tests.process.command import entrepot
from tests.repositories import Repository
from tests.servers import Server, unverified

PACKAGING = Path(__file__).parents[2] / "packaging"
ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """Where a service tells how far it is."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiving:
        receiving.bind(str(tmp_path / "notify"))
        receiving.settimeout(30)
        yield receiving


def told(manager: socket.socket) -> list[str]:
    return manager.recv(4096).decode().splitlines()


def test_a_service_manager_is_told(tmp_path: Path, manager: socket.socket) -> None:
    """When it can be used, when it is renewed, and when it ends."""
    prefix = ("env", f"NOTIFY_SOCKET={tmp_path / 'notify'}")
    with Server(tmp_path / "server", prefix=prefix) as server:
        assert told(manager) == ["READY=1"]
        os.kill(server.pid, signal.SIGHUP)
        reloading = told(manager)
        assert reloading[0] == "RELOADING=1"
        assert re.fullmatch("MONOTONIC_USEC=[0-9]+", reloading[1])
        assert told(manager) == ["READY=1"]
    assert told(manager) == ["STOPPING=1"]


class Activated:
    """The server on a listening socket that outlives it."""

    def __init__(self, directory: Path, listening: socket.socket) -> None:
        self._config = directory / "config.yml"
        storage = {"filesystem": {"rootdirectory": str(directory / "data")}}
        settings = {"version": "0.1", "storage": storage, "http": {"addr": "127.0.0.1:1", "secret": "x"}}
        self._config.write_text(yaml.safe_dump(settings))
        self._log = directory / "log"
        self._listening = listening
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        number = self._listening.fileno()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", ACTIVATE, str(number), "-m", "entrepot", "serve", str(self._config)],
                env={**os.environ, "ENTREPOT_WORKERS": "2"},
                pass_fds=(number,),
                stdout=log,
                stderr=log,
            )

    def stop(self) -> int:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(60)


@pytest.fixture(params=["tcp", "unix"])
def listening(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[socket.socket]:
    """What a socket unit holds."""
    with socket.socket(socket.AF_INET if request.param == "tcp" else socket.AF_UNIX) as opened:
        opened.bind(("127.0.0.1", 0) if request.param == "tcp" else str(tmp_path / "socket"))
        opened.listen(128)
        yield opened


def client(listening: socket.socket) -> httpx.Client:
    name = listening.getsockname()
    if isinstance(name, str):
        return httpx.Client(transport=httpx.HTTPTransport(uds=name), base_url="http://registry", timeout=60)
    return httpx.Client(base_url=f"http://127.0.0.1:{name[1]}", timeout=60, verify=unverified())


def test_no_request_fails_over_a_restart(tmp_path: Path, listening: socket.socket) -> None:
    """Clients wait instead of being refused, on new connections and on kept ones, over stop and start."""
    server = Activated(tmp_path, listening)
    failures: list[str] = []
    end = threading.Event()
    done = [0]

    def work() -> None:
        try:
            while not end.is_set():
                with client(listening) as one:
                    repository = Repository(one)
                    for _ in range(3):
                        assert repository.get(f"blobs/{repository.push_blob(os.urandom(500))}").status_code == 200
                        done[0] += 1
        except Exception as error:
            failures.append(repr(error))

    server.start()
    workers = [threading.Thread(target=work) for _ in range(3)]
    for one in workers:
        one.start()
    try:
        for _ in range(3):
            before = done[0]
            wait_until(lambda count=before: done[0] > count + 20 or failures)  # type: ignore[misc]
            assert server.stop() == 0
            server.start()
        before = done[0]
        wait_until(lambda: done[0] > before + 20 or failures)
    finally:
        end.set()
        for one in workers:
            one.join()
        server.stop()
    assert failures == []
    if isinstance(name := listening.getsockname(), str):
        assert Path(name).exists()


def test_a_socket_of_another_process_is_none(tmp_path: Path) -> None:
    """The variables name for whom they are."""
    with Server(tmp_path, prefix=("env", "LISTEN_FDS=1", "LISTEN_PID=1")) as server:
        assert server.answers()


def test_the_configuration_of_the_package_is_good() -> None:
    """As it is installed."""
    ended = entrepot("check-config", str(PACKAGING / "config.yml"))

    assert ended.status == 0, ended.err


def test_the_units_are_good(tmp_path: Path) -> None:
    """By systemd's own judgement, where it is installed; else at least no section is misspelt."""
    for unit in ("entrepot.service", "entrepot.socket"):
        text = (PACKAGING / unit).read_text().replace("/usr/bin/entrepot", "/bin/true")
        (tmp_path / unit).write_text(text)
        assert set(re.findall(r"^\[(\w+)\]$", text, re.MULTILINE)) <= {"Unit", "Service", "Socket", "Install"}
    analyze = shutil.which("systemd-analyze")
    if analyze is not None:
        done = subprocess.run(
            [analyze, "verify", "--man=no", *map(str, tmp_path.glob("entrepot.*"))],
            capture_output=True,
            text=True,
            check=False,
        )
        assert "entrepot" not in done.stderr, done.stderr


def test_the_chart_is_yaml_with_a_good_configuration(tmp_path: Path) -> None:
    """What it does not fill in; its configuration is checked as any other."""
    chart = PACKAGING / "helm" / "entrepot"
    assert yaml.safe_load((chart / "Chart.yaml").read_text())["name"] == "entrepot"
    values = yaml.safe_load((chart / "values.yaml").read_text())
    config = tmp_path / "config.yml"
    config.write_text(yaml.safe_dump(values["config"]))
    ended = entrepot("check-config", str(config))
    assert ended.status == 0, ended.err
    used = set(re.findall(r"\.Values\.(\w+)", "".join(path.read_text() for path in chart.glob("templates/*.yaml"))))
    assert used <= set(values)


def test_variables_of_kubernetes_are_no_problem(tmp_path: Path) -> None:
    """A Service that is called `registry` becomes variables that look like settings: each is a warning."""
    environment = {"REGISTRY_PORT": "tcp://10.0.0.1:5000", "REGISTRY_SERVICE_HOST": "10.0.0.1"}
    ended = entrepot("check-config", str(PACKAGING / "config.yml"), environment=environment)

    assert ended.status == 0, ended.err
    assert all(name in ended.err for name in environment)


def test_the_image_is_built_from_what_is_there() -> None:
    """Every file that it copies is in the repository, and it runs as nobody in particular."""
    text = (PACKAGING / "Dockerfile").read_text()
    root = PACKAGING.parent
    for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE):
        *sources, _ = line.split()
        assert all((root / source).exists() for source in sources), line
    assert re.search(r"^USER [1-9]", text, re.MULTILINE)
