"""A node that is not well gets no requests, and says so to who watches it."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.http.waiting import wait_until
from tests.repositories import Repository, error_codes
from tests.servers import Server, choose_port


@pytest.fixture
def down(tmp_path: Path) -> Path:
    """The file that takes the node out of service."""
    return tmp_path / "down"


@pytest.fixture
def port() -> int:
    """Of the debug listener."""
    return choose_port()


@pytest.fixture
def server(tmp_path: Path, down: Path, port: int) -> Iterator[Server]:
    """Two workers that look for the file ten times a second, through the keeper, and at their storage."""
    health = {
        "storagedriver": {"enabled": True, "interval": "100ms", "threshold": 3},
        "file": [{"file": str(down), "interval": "100ms"}],
    }
    settings = {"health": health, "http": {"debug": {"addr": f"127.0.0.1:{port}"}}}
    with Server(tmp_path / "server", settings, prefix=("env", "ENTREPOT_WORKERS=2")) as server:
        yield server


def test_whoever_asks_a_node_that_is_not_well_is_sent_away(server: Server, down: Path, port: int) -> None:
    """For every route, in every worker, also what was answered a moment ago; and all is well again afterwards."""
    content = b"content"
    with server.client() as client:
        digest = Repository(client, "app").push_blob(content)
        paths = ("/", "/v2/", "/readyz", "/nothing", f"/v2/app/blobs/{digest}")
        for path in paths:
            assert client.get(path).status_code == (404 if path == "/nothing" else 200)

        down.touch()
        for path in paths:
            wait_until(partial(_is_sent_away, client, path, expected=True))
            for _ in range(10):
                with server.client() as other:
                    answer = other.get(path)
                assert (answer.status_code, error_codes(answer)) == (503, ["UNAVAILABLE"])
        assert client.get("/livez").status_code == 200
        health = httpx.get(f"http://127.0.0.1:{port}/debug/health", trust_env=False)
        assert (health.status_code, health.json()) == (503, {str(down): "file exists"})

        down.unlink()
        for path in paths:
            wait_until(partial(_is_sent_away, client, path, expected=False))
        assert client.get(f"/v2/app/blobs/{digest}").content == content
        health = httpx.get(f"http://127.0.0.1:{port}/debug/health", trust_env=False)
        assert (health.status_code, health.json()) == (200, {})


def _is_sent_away(client: httpx.Client, path: str, *, expected: bool) -> bool:
    return (client.get(path).status_code == 503) is expected
