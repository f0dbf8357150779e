"""A unix socket: what lies at its path before a start, and after an end."""

import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.process.command import check_cannot_start, serve
from tests.servers import Server


def on(path: Path) -> dict[str, Any]:
    """Settings that listen there."""
    return {"http": {"net": "unix", "addr": str(path)}}


def test_socket_of_a_killed_server_is_replaced(tmp_path: Path, socket_path: Path) -> None:
    """kill -9 leaves the socket behind; the next start takes its place."""
    server = Server(tmp_path, on(socket_path)).start()
    server.kill()
    assert stat.S_ISSOCK(socket_path.lstat().st_mode)

    with server, server.client() as client:
        assert client.get("/v2/").status_code == 200
    assert not socket_path.exists()


def test_socket_of_a_living_server_is_left_alone(tmp_path: Path, socket_path: Path) -> None:
    """A second server is refused, and the first one stays reachable."""
    with Server(tmp_path / "first", on(socket_path)) as first:
        (tmp_path / "second").mkdir()
        check_cannot_start(serve(tmp_path / "second", on(socket_path)), "http.addr", str(socket_path), "another server")

        with first.client() as client:
            assert client.get("/v2/").status_code == 200


def test_socket_of_another_program_is_left_alone(tmp_path: Path, socket_path: Path) -> None:
    """So is one that somebody else listens on, even if he is slow to accept."""
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(socket_path))
        other.listen()
        check_cannot_start(serve(tmp_path, on(socket_path)), str(socket_path), "another server")

    assert socket_path.exists()


@pytest.mark.parametrize("kind", ["file", "directory", "link", "fifo"])
def test_what_is_no_socket_is_left_alone(tmp_path: Path, socket_path: Path, kind: str) -> None:
    """A file, directory, link or pipe at that path is not removed."""
    if kind == "file":
        socket_path.write_text("precious")
    elif kind == "directory":
        socket_path.mkdir()
    elif kind == "link":
        socket_path.symlink_to(tmp_path / "elsewhere")
    else:
        os.mkfifo(socket_path)
    before = socket_path.lstat()
    check_cannot_start(serve(tmp_path, on(socket_path)), "http.addr", str(socket_path), "not a socket")

    assert os.path.samestat(before, socket_path.lstat())


def test_missing_directory(tmp_path: Path, socket_path: Path) -> None:
    """No directory is made for a socket."""
    path = socket_path.parent / "missing" / "registry.sock"

    check_cannot_start(serve(tmp_path, on(path)), "http.addr", str(path), "No such file or directory")


def test_below_a_file(tmp_path: Path, socket_path: Path) -> None:
    """A path that leads through a file."""
    socket_path.write_text("")
    path = socket_path / "registry.sock"

    check_cannot_start(serve(tmp_path, on(path)), "http.addr", str(path), "Not a directory")


def test_access_log_of_a_unix_socket(tmp_path: Path, socket_path: Path) -> None:
    """Clients without an address are logged as such."""
    with Server(tmp_path, on(socket_path)) as server:
        with server.client() as client:
            client.get("/v2/")
        server.stop()

    lines = [line for line in (tmp_path / "log").read_text().splitlines() if '"GET /v2/ HTTP/1.1" 200' in line]

    assert lines
    assert all(line.startswith("- - - [") for line in lines)
