"""SIGTERM: what is under way ends well, nothing new is taken, and a second one ends it at once (F-129)."""

import hashlib
import os
import secrets
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.http.http2 import Http2Wire
from tests.http.processes import await_workers, is_gone, workers
from tests.http.waiting import wait_until
from tests.http.wire import Wire, begin_upload, exchange, request, statuses
from tests.process.command import signal_all
from tests.real.processes import ProgramFailed, accepts
from tests.repositories import Repository, fresh_name
from tests.servers import Server, merge

LARGE = 16 << 20
PATIENT = {"http": {"draintimeout": "50s"}}
"""So long that only a server that waits in vain meets it; every test here takes less."""


def start(directory: Path, settings: dict[str, Any] | None = None) -> Server:
    return Server(directory, merge(PATIENT, settings or {})).start()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server that a test stops."""
    server = start(tmp_path)
    await_workers(server.pid)
    yield server
    with suppress(ProgramFailed):  # it is stopped
        server.kill()


def terminate(server: Server) -> None:
    """Send SIGTERM, and return when no new connection is taken."""
    os.kill(server.pid, signal.SIGTERM)
    wait_until(lambda: not accepts(server.port))


def check_ends_well(server: Server) -> None:
    """It ends by itself, with status 0."""
    wait_until(lambda: is_gone(server.pid))
    server.stop()


def push_large(server: Server) -> tuple[str, bytes]:
    """The path of a blob larger than all buffers, and its content."""
    content = secrets.token_bytes(LARGE)
    with server.client() as client:
        repository = Repository(client)
        return repository.url(f"blobs/{repository.push_blob(content)}"), content


def test_idle_server(server: Server) -> None:
    """A server with nothing to do but idle connections ends at once."""
    with ExitStack() as stack:
        idle = [stack.enter_context(Wire(server.port)) for _ in range(8)]
        for wire in idle[:4]:
            wire.send(request("/v2/"))
            assert wire.answer() is not None
        server.stop()

        assert all(wire.answer() is None for wire in idle)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal(server: Server, number: signal.Signals) -> None:
    """Both signals end it with status 0."""
    os.kill(server.pid, number)
    check_ends_well(server)


def test_slow_upload(server: Server) -> None:
    """An upload under way is taken to its end and acknowledged, and is there after the next start."""
    name, content = fresh_name(), secrets.token_bytes(6000)
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    location = begin_upload(server.port, name)
    with Wire(server.port) as wire:
        wire.send(request(f"{location}&digest={digest}", "Content-Length: 6000", method="PUT", body=content[:3000]))
        wait_until(lambda: any(server.root.rglob("_uploads/*/data")))
        terminate(server)
        wire.send(content[3000:])
        answers = wire.answers()
    check_ends_well(server)

    assert statuses(answers) == [201]
    with server:
        assert exchange(server.port, request(f"/v2/{name}/blobs/{digest}"))[0].body == content


def test_slow_download(server: Server) -> None:
    """A download under way is sent to its end."""
    path, content = push_large(server)
    with Wire(server.port, receive_buffer=4096) as wire:
        wire.send(request(path))
        assert wire.socket.recv(1, socket.MSG_PEEK)
        terminate(server)
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        answers = wire.answers()
    check_ends_well(server)

    assert statuses(answers) == [200]
    assert answers[0].body == content


def test_slow_download_from_memory(tmp_path: Path) -> None:
    """So is one that is a stream and no file."""
    server = start(tmp_path, {"storage": {"filesystem": None, "inmemory": {}}})
    path, content = push_large(server)
    with Wire(server.port, receive_buffer=4096) as wire:
        wire.send(request(path))
        assert wire.socket.recv(1, socket.MSG_PEEK)
        terminate(server)
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        answers = wire.answers()
    check_ends_well(server)

    assert answers[0].body == content


def test_http2_upload(tmp_path: Path) -> None:
    """An upload over HTTP/2 ends well, too."""
    server = start(tmp_path, {"http": {"h2c": {"enabled": True}}})
    location = begin_upload(server.port, fresh_name())
    with Http2Wire(server.port) as wire:
        stream = wire.begin("PATCH", location, ("content-length", "6"))
        wire.send(stream, b"abc")
        wait_until(lambda: any(server.root.rglob("_uploads/*/data")))
        terminate(server)
        wire.send(stream, b"def", ended=True)
        assert wire.status(stream) == 202
    check_ends_well(server)


def test_drain_is_limited(tmp_path: Path) -> None:
    """`http.draintimeout` ends what does not end by itself, with status 0."""
    with Server(tmp_path, {"http": {"draintimeout": "1s"}}) as server:
        location = begin_upload(server.port, fresh_name())
        with Wire(server.port) as wire:
            wire.send(request(location, "Content-Length: 6", method="PATCH", body=b"abc"))
            wait_until(lambda: any(server.root.rglob("_uploads/*/data")))
            server.stop()

            assert wire.answer() is None


def test_second_signal(server: Server) -> None:
    """A second SIGTERM does not wait for anybody; nothing is left running."""
    location = begin_upload(server.port, fresh_name())
    left = workers(server.pid)
    with Wire(server.port) as wire:
        wire.send(request(location, "Content-Length: 6", method="PATCH", body=b"abc"))
        wait_until(lambda: any(server.root.rglob("_uploads/*/data")))
        terminate(server)
        assert not is_gone(server.pid)
        os.kill(server.pid, signal.SIGTERM)

        assert wire.answer() is None
    check_ends_well(server)
    assert all(map(is_gone, left))


def test_signal_to_the_whole_group(server: Server) -> None:
    """Where all processes get the signal, as from a terminal or a service manager, it is a good end all the same."""
    signal_all([*workers(server.pid), server.pid], signal.SIGTERM)
    check_ends_well(server)


def test_many_signals_to_workers(server: Server) -> None:
    """However often a worker is told to stop, it ends what is under way."""
    location = begin_upload(server.port, fresh_name())
    with Wire(server.port) as wire:
        wire.send(request(location, "Content-Length: 6", method="PATCH", body=b"abc"))
        wait_until(lambda: any(server.root.rglob("_uploads/*/data")))
        told = workers(server.pid)
        for _ in range(6):
            signal_all(told, signal.SIGTERM)
            time.sleep(0.02)  # else the kernel makes one of several
        wire.send(b"def")
        assert [answer.status for answer in wire.answers()] == [202]
    terminate(server)
    check_ends_well(server)


def test_signal_before_it_serves(tmp_path: Path) -> None:
    """A server that is told to stop while its workers begin stops at once."""
    server = Server(tmp_path, PATIENT)
    for _ in range(3):
        server.start()
        server.stop()


def test_restart_on_the_same_port(server: Server) -> None:
    """The port can be had again at once, though connections to it were open."""
    with Wire(server.port) as wire:
        wire.send(request("/v2/"))
        assert wire.answer() is not None
        server.stop()
        server.start()
    server.stop()


def test_kill_and_restart(server: Server) -> None:
    """After kill -9 of all processes the port can be had again at once, and pushes that were acknowledged are there."""
    path, content = push_large(server)
    server.kill()

    with server:
        assert exchange(server.port, request(path))[0].body == content
