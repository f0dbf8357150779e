"""A server that has no descriptors left (F-111): who is connected is served, and all are again when there are some."""

import socket
from contextlib import ExitStack
from pathlib import Path

from tests.mirror.serving import wait_until
from tests.programs import need
from tests.repositories import Repository
from tests.servers import Server

DESCRIPTORS = 100


def test_a_server_without_descriptors_recovers(tmp_path: Path) -> None:
    """More connections than it may have wait, or are refused; no worker ends, and nothing is lost."""
    few = (need("prlimit"), f"--nofile={DESCRIPTORS}:{DESCRIPTORS}", "env", "ENTREPOT_WORKERS=1")
    with Server(tmp_path, prefix=few) as server, server.client() as client:
        repository = Repository(client)
        digest = repository.push_blob(b"content")
        assert repository.get(f"blobs/{digest}").content == b"content"
        with ExitStack() as crowd:
            for _ in range(2 * DESCRIPTORS):
                one = crowd.enter_context(socket.create_connection(("127.0.0.1", server.port), 10))
                one.sendall(b"GET /v2/ HTTP/1.1\r\nHost: a\r\n")  # never ended, so that it stays
            answer = repository.get(f"blobs/{digest}")
            assert answer.content == b"content" or answer.status_code == 503

        def answers() -> bool:
            with server.client() as other:
                return Repository(other, repository.name).get(f"blobs/{digest}").content == b"content"

        wait_until(answers)
        assert repository.push_blob(b"more")
        assert "worker_ended" not in server.output()
        assert "Traceback" not in server.output()


def test_a_server_has_as_many_descriptors_as_it_may(tmp_path: Path) -> None:
    """The lower of the two limits, which shells and service managers set for interactive programs, is raised."""
    with Server(tmp_path, prefix=(need("prlimit"), "--nofile=256:4096")) as server:
        limits = Path(f"/proc/{server.pid}/limits").read_text()
        line = next(line for line in limits.splitlines() if line.startswith("Max open files"))

        assert line.split()[3:5] == ["4096", "4096"]
