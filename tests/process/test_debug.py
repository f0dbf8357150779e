"""The debug listener: health and figures, on an address of its own, whatever its clients do."""

import os
import re
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import httpx
import pytest

from entrepot.metrics.meter import PrometheusMeter
from tests.http.processes import await_workers, workers
from tests.http.waiting import wait_until
from tests.process.command import check_cannot_start, serve
from tests.process.keepers import await_keeper, keepers, listens_on
from tests.repositories import Repository
from tests.servers import Server, choose_port

LONG = 30.0
"""More connections than the listener takes at once must not keep a scraper out for longer than this."""


class Debugged:
    """A server with a debug listener and two workers, and the directory of its figures."""

    def __init__(self, directory: Path, temporary: Path, prometheus: dict[str, Any]) -> None:
        self.port = choose_port()
        debug = {"addr": f"127.0.0.1:{self.port}", "prometheus": prometheus}
        prefix = ("env", f"TMPDIR={temporary}", "ENTREPOT_WORKERS=2")
        self.server = Server(directory, {"http": {"debug": debug}}, prefix=prefix)
        self._temporary = temporary

    @property
    def figures(self) -> Path:
        [path] = self._temporary.iterdir()
        return path

    def ask(self, path: str, method: str = "GET", **options: Any) -> httpx.Response:
        return httpx.request(method, f"http://127.0.0.1:{self.port}{path}", timeout=60.0, trust_env=False, **options)


def debugged(directory: Path, **prometheus: Any) -> Iterator[Debugged]:
    with tempfile.TemporaryDirectory() as temporary:
        made = Debugged(directory, Path(temporary), prometheus)
        with made.server:
            await_workers(made.server.pid, 2)
            await_keeper(made.server.pid)
            yield made


@pytest.fixture
def measured(tmp_path: Path) -> Iterator[Debugged]:
    """One that serves figures."""
    yield from debugged(tmp_path, enabled=True)


@pytest.fixture(scope="module")
def unmeasured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Debugged]:
    """One that serves none."""
    yield from debugged(tmp_path_factory.mktemp("unmeasured"))


def count(figures: Path, size: int) -> None:
    """What a worker does, in a process that ends at once."""
    with closing(PrometheusMeter(figures)) as meter:
        meter.served("blob", "hit", size)
        meter.fetched("docker.io", size)


def count_elsewhere(figures: Path, *sizes: int) -> None:
    """Count in as many processes, one after the other."""
    for size in sizes:
        process = get_context("spawn").Process(target=count, args=(figures, size))
        process.start()
        process.join()
        assert process.exitcode == 0


def test_health(unmeasured: Debugged) -> None:
    """No check fails."""
    answer = unmeasured.ask("/debug/health")

    assert (answer.status_code, answer.text) == (200, "{}")
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", ["/", "/metrics", "/v2/", "/debug/", "/debug/pprof/", "/debug/health/"])
def test_everything_else(unmeasured: Debugged, path: str) -> None:
    """Nothing but health, where figures were not asked for."""
    assert unmeasured.ask(path).status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
def test_other_methods(unmeasured: Debugged, method: str) -> None:
    """As Distribution: nothing is there for them."""
    assert unmeasured.ask("/debug/health", method).status_code == 404


def test_not_on_the_main_listener(unmeasured: Debugged) -> None:
    """Who reaches the registry does not reach the debug listener (R44)."""
    with unmeasured.server.client() as client:
        assert client.get("/debug/health").status_code == 404
    assert not any(listens_on(worker, unmeasured.port) for worker in workers(unmeasured.server.pid))


def test_figures_are_summed(measured: Debugged) -> None:
    """Over processes that live and those that have ended; a successor counts on where the one before ended."""
    measured.ask("/metrics").raise_for_status()
    count_elsewhere(measured.figures, 1000, 200, 30)

    text = measured.ask("/metrics").text
    assert 'entrepot_proxy_responses_total{outcome="hit",type="blob"} 3.0' in text
    assert 'registry_proxy_hits_total{type="blob"} 3.0' in text
    assert 'registry_proxy_pushed_bytes_total{type="blob"} 1230.0' in text
    assert 'entrepot_upstream_fetched_bytes_total{upstream="docker.io"} 1230.0' in text


def test_requests_are_counted(measured: Debugged) -> None:
    """Those answered at once as all others, by handler, method and status; and what the driver did for them."""
    with measured.server.client() as client:
        repository = Repository(client)
        digest = repository.push_blob(b"content")
        for _ in range(3):
            assert repository.get(f"blobs/{digest}").content == b"content"
            assert repository.head(f"blobs/{digest}").status_code == 200
        assert repository.get("manifests/absent").status_code == 404

    def counted(line: str) -> bool:
        return line in measured.ask("/metrics").text.splitlines()

    for code, handler, method, number in (
        (200, "blob", "get", 3),
        (200, "blob", "head", 3),
        (404, "manifest", "get", 1),
    ):
        labels = f'code="{code}",handler="{handler}",method="{method}"'
        wait_until(lambda: counted(f"registry_http_requests_total{{{labels}}} {number}.0"))  # noqa: B023  # at once
    text = measured.ask("/metrics").text
    assert 'registry_http_response_size_bytes_sum{handler="blob"} 21.0' in text
    assert 'registry_http_in_flight_requests{handler="manifest"} 0.0' in text
    assert 'registry_storage_action_seconds_count{action="Move",driver="filesystem"}' in text
    assert 'registry_http_requests_total{code="201",handler="blob_upload_chunk",method="put"}' in text


def test_figures_outlive_the_keeper(measured: Debugged) -> None:
    """A new keeper answers on the same port, with all that was counted."""
    count_elsewhere(measured.figures, 5)
    killed = await_keeper(measured.server.pid)
    os.kill(killed, signal.SIGKILL)

    assert 'registry_proxy_pushed_bytes_total{type="blob"} 5.0' in measured.ask("/metrics").text
    assert keepers(measured.server.pid) != [killed]


def test_damaged_figures(measured: Debugged) -> None:
    """A file that cannot be read is told, and does not end the listener."""
    (measured.figures / "counter_9.db").write_bytes(b"\x7f" * 4096)

    assert measured.ask("/metrics").status_code == 500
    assert measured.ask("/debug/health").status_code == 200
    assert "figures_not_read" in measured.server.output()


def test_other_path(tmp_path: Path) -> None:
    """`http.debug.prometheus.path` says where the figures are."""
    for one in debugged(tmp_path, enabled=True, path="/here"):
        assert one.ask("/here").headers["content-type"].startswith("text/plain")
        assert one.ask("/here", headers={"Accept": "application/openmetrics-text"}).text.endswith("# EOF\n")
        assert one.ask("/metrics").status_code == 404


def test_slow_clients(unmeasured: Debugged) -> None:
    """Clients that never end their requests hold up nobody for long, and are cut off, also where they drip."""
    with ExitStack() as stack:
        address = ("127.0.0.1", unmeasured.port)
        slow = [stack.enter_context(socket.create_connection(address, LONG)) for _ in range(64)]
        for connection in slow:
            connection.sendall(b"GET /debug/health HTTP/1.1\r\nX: ")

        def answers() -> bool:
            for connection in slow:
                try:
                    connection.sendall(b"x")
                except OSError:
                    continue
            try:
                return unmeasured.ask("/debug/health").status_code == 200
            except httpx.TransportError:
                return False

        wait_until(answers)


def test_processes_say_what_they_hold(unmeasured: Debugged) -> None:
    """Each worker and the keeper: bytes, and numbers of things (in the place of expvar)."""
    told = unmeasured.ask("/debug/vars").json()["processes"]

    names = {f"worker-{pid}" for pid in workers(unmeasured.server.pid)}
    assert told.keys() - names == {f"keeper-{pid}" for pid in keepers(unmeasured.server.pid)}
    assert len(told) == 3
    for figures in told.values():
        assert figures["resident_bytes"] > 1 << 20
        assert min(figures["tasks"], figures["threads"], figures["open_files"]) >= 1


def test_where_processes_wait(unmeasured: Debugged) -> None:
    """Tasks by the line at which they wait, and threads by their stacks; what there is of each type of object."""
    tasks, objects = unmeasured.ask("/debug/tasks").text, unmeasured.ask("/debug/memory").text

    for text in (tasks, objects):
        assert text.count("# worker-") == 2
        assert text.count("# keeper-") == 1
    assert re.search(r"^1 x Probe\.run:\d+$", tasks, re.MULTILINE)
    assert re.search(r"^\d+ builtins\.dict$", objects, re.MULTILINE)


def test_a_profile_is_what_flame_graph_programs_read(unmeasured: Debugged) -> None:
    """A line for each stack, of each process, with how often it was seen."""
    lines = unmeasured.ask("/debug/profile?seconds=1").text.splitlines()

    assert all(re.fullmatch(r"(worker|keeper)-\d+;[^;]+(;[\w.<>?]+:\d+)+ \d+", line) for line in lines), lines
    assert {line.partition(";")[0].partition("-")[0] for line in lines} == {"worker", "keeper"}


@pytest.mark.parametrize("seconds", ["0", "9", "-1", "x", "", "1" * 5000, "1e1"])
def test_a_profile_has_a_bound(unmeasured: Debugged, seconds: str) -> None:
    """Whoever asks for more is told how much there is."""
    answer = unmeasured.ask(f"/debug/profile?seconds={seconds}&x=y" if seconds else "/debug/profile?seconds=%20")

    assert (answer.status_code, answer.text) == (400, "seconds must be a whole number from 1 to 8\n")


def test_a_process_that_does_not_answer_is_left_out(unmeasured: Debugged) -> None:
    """After a moment, and the others are told of; nor is one that was killed."""
    stopped = workers(unmeasured.server.pid)[0]
    os.kill(stopped, signal.SIGSTOP)
    try:
        told = unmeasured.ask("/debug/vars")
    finally:
        os.kill(stopped, signal.SIGCONT)

    assert told.status_code == 200
    assert f"worker-{stopped}" not in told.json()["processes"]
    assert len(told.json()["processes"]) == 2


def test_two_listeners(unmeasured: Debugged) -> None:
    """Each has its line."""
    lines = unmeasured.server.output()
    assert f"listening on {unmeasured.server.address}" in lines
    assert f"debug server listening on 127.0.0.1:{unmeasured.port}" in lines


def test_used_port(tmp_path: Path) -> None:
    """A port that another program listens on is told before anything starts."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        settings = {"http": {"debug": {"addr": address}}}

        check_cannot_start(serve(tmp_path, settings), "http.debug.addr", address, "Address already in use")


@pytest.mark.parametrize("host", ["127.0.0.1", "", "0.0.0.0"])
def test_address_of_the_registry(tmp_path: Path, host: str) -> None:
    """The debug listener has an address of its own."""
    port = choose_port()
    settings = {"http": {"addr": f"127.0.0.1:{port}", "debug": {"addr": f"{host}:{port}"}}}

    check_cannot_start(serve(tmp_path, settings), "http.debug.addr", "http.addr")
