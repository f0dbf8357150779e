"""The built-in configuration: a mirror of Docker Hub that tells a newcomer what to do next."""

import json
from pathlib import Path

import httpx

from entrepot.testing.images import image
from entrepot.testing.upstreams import ThreadedUpstream
from tests.process.command import COMMAND
from tests.real.processes import Process, accepts
from tests.servers import choose_port


def start(directory: Path, port: int, **environment: str) -> Process:
    """Start the server in `directory`, so that its `./data` is there."""
    command = ["env", "-C", str(directory), *COMMAND, "serve"]
    process = Process(command, directory / "log", {"REGISTRY_HTTP_ADDR": f"127.0.0.1:{port}", **environment})
    process.wait_until(lambda: accepts(port))
    return process


def test_it_starts_without_its_upstream(tmp_path: Path) -> None:
    """It serves although the upstream cannot be reached, and prints where, from which data, and what dockerd needs."""
    port = choose_port()
    process = start(tmp_path, port, REGISTRY_PROXY_REMOTEURL="http://127.0.0.1:1")
    try:
        url = f"http://127.0.0.1:{port}"
        assert httpx.get(f"{url}/v2/", trust_env=False).text == "{}"
        answer = httpx.get(f"{url}/v2/library/busybox/manifests/latest", trust_env=False, timeout=60)
        assert answer.status_code in (502, 503, 504)
        assert httpx.post(f"{url}/v2/a/blobs/uploads/", trust_env=False).status_code == 405

        lines = process.output().splitlines()
        assert f"listening on   {url}" in lines
        assert f"data in        {tmp_path / 'data'}" in lines
        assert "mirror of      http://127.0.0.1:1" in lines
        [told] = [line for line in lines if line.startswith("daemon.json ")]
        assert json.loads(told.removeprefix("daemon.json ")) == {"registry-mirrors": [url]}
    finally:
        assert process.stop() == 0
    assert (tmp_path / "data").is_dir()


def test_it_mirrors(tmp_path: Path) -> None:
    """With an upstream that is there, and its data elsewhere, it pulls through."""
    port, made, data = choose_port(), image(1), tmp_path / "elsewhere"
    with ThreadedUpstream() as upstream:
        upstream.add_image("library/busybox", "latest", made)
        process = start(
            tmp_path,
            port,
            REGISTRY_PROXY_REMOTEURL=upstream.url,
            REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY=str(data),
        )
        try:
            answer = httpx.get(f"http://127.0.0.1:{port}/v2/library/busybox/manifests/latest", trust_env=False)
            assert answer.content == made.content
            assert f"data in        {data}" in process.output().splitlines()
        finally:
            assert process.stop() == 0
    assert any(data.rglob("link"))
    assert not (tmp_path / "data").exists()
