"""The keeper: one process beside the workers, which lives as long as the server and not a moment longer."""

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.http.processes import await_workers, is_gone, workers
from tests.http.waiting import wait_until
from tests.process.command import signal_all
from tests.process.keepers import await_keeper, children, keepers, listens_on
from tests.servers import IN_MEMORY, Server, choose_port, merge


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server with workers and a keeper."""
    with Server(tmp_path / "server") as server:
        await_workers(server.pid)
        await_keeper(server.pid)
        yield server


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A directory for the temporary files of servers."""
    with tempfile.TemporaryDirectory() as directory:
        yield Path(directory)


def measured(directory: Path, temporary: Path) -> Server:
    """A server that counts, in files below `temporary`."""
    debug = {"addr": f"127.0.0.1:{choose_port()}", "prometheus": {"enabled": True}}
    return Server(directory, {"http": {"debug": debug}}, prefix=("env", f"TMPDIR={temporary}"))


def test_listens_on_no_port_of_the_workers(server: Server) -> None:
    """A client that the kernel gives to the keeper would wait for ever."""
    assert not listens_on(await_keeper(server.pid), server.port)
    assert listens_on(workers(server.pid)[0], server.port)


def test_killed_keeper(server: Server) -> None:
    """kill -9: another one takes its place, one line tells it, and clients do not notice."""
    for _ in range(2):
        killed = await_keeper(server.pid)
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: keepers(server.pid) not in ([], [killed]))  # noqa: B023

        [line] = [line for line in server.output().splitlines() if f"pid={killed}" in line]
        assert "keeper_ended" in line
        assert "status=-9" in line
        assert server.answers()
    assert not listens_on(await_keeper(server.pid), server.port)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_end(server: Server, number: signal.Signals) -> None:
    """The keeper ends with the server."""
    all_of_them = children(server.pid)
    os.kill(server.pid, number)
    wait_until(lambda: is_gone(server.pid))

    assert all(map(is_gone, all_of_them))
    assert "keeper_ended" not in server.output()


def test_end_of_a_hung_keeper(server: Server) -> None:
    """One that does not answer its signal is killed."""
    keeper = await_keeper(server.pid)
    os.kill(keeper, signal.SIGSTOP)
    os.kill(server.pid, signal.SIGTERM)
    wait_until(lambda: is_gone(server.pid))

    assert is_gone(keeper)


def test_signal_to_the_whole_group(server: Server) -> None:
    """Where all processes get the signal, the keeper's end is no failure."""
    signal_all([*children(server.pid), server.pid], signal.SIGTERM)
    wait_until(lambda: is_gone(server.pid))

    assert "keeper_ended" not in server.output()


def test_killed_supervisor(tmp_path: Path) -> None:
    """kill -9 of the first process alone ends the keeper too, even one that hangs."""
    server = Server(tmp_path).start()
    left = await_keeper(server.pid)
    os.kill(left, signal.SIGSTOP)
    os.kill(server.pid, signal.SIGKILL)
    wait_until(lambda: is_gone(left))
    server.kill()


@pytest.mark.parametrize(
    "settings", [{"storage": {"maintenance": {"uploadpurging": {"enabled": False}}}}, IN_MEMORY], ids=["off", "memory"]
)
def test_nothing_to_do(tmp_path: Path, settings: dict[str, Any]) -> None:
    """Without a duty there is no keeper."""
    with Server(tmp_path, merge(settings, {"log": {"level": "debug"}})) as server:
        only = await_workers(server.pid, 1 if settings is IN_MEMORY else None)
        assert server.answers()

        assert children(server.pid) == only


def test_figures_are_removed(tmp_path: Path, temporary: Path) -> None:
    """The files in which processes count go when the server ends."""
    with measured(tmp_path, temporary) as server:
        await_keeper(server.pid)
        assert list(temporary.iterdir())

    assert not list(temporary.iterdir())


def test_figures_of_killed_servers_are_removed(tmp_path: Path, temporary: Path) -> None:
    """What a killed server left behind goes at the next start; what a living one uses stays."""
    with measured(tmp_path / "living", temporary):
        [used] = temporary.iterdir()
        killed = measured(tmp_path / "killed", temporary).start()
        [left] = set(temporary.iterdir()) - {used}
        everybody = children(killed.pid)
        killed.kill()
        wait_until(lambda: all(map(is_gone, everybody)))

        with measured(tmp_path / "next", temporary):
            found = set(temporary.iterdir())
            assert used in found
            assert left not in found
    assert not list(temporary.iterdir())
