"""The built-in configuration: a mirror of Docker Hub that tells a newcomer what to do next."""

import json
import subprocess
import tomllib
from pathlib import Path

import httpx

from entrepot.testing.images import image
from entrepot.testing.upstreams import ThreadedUpstream
from tests.process.command import COMMAND
from tests.programs import need
from tests.real.processes import RUN_LIMIT, Process, accepts, clean_environment
from tests.servers import choose_port


def start(directory: Path, port: int, **environment: str) -> Process:
    """Start the server in `directory`, so that its `./data` is there."""
    command = ["env", "-C", str(directory), *COMMAND, "serve"]
    process = Process(command, directory / "log", {"REGISTRY_HTTP_ADDR": f"127.0.0.1:{port}", **environment})
    process.wait_until(lambda: accepts(port))
    return process


def told(process: Process, title: str) -> str:
    """What is printed beside and below a title, once it is."""
    process.wait_until(lambda: f"\n{title} " in process.output())
    lines = process.output().splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith(f"{title} "))
    below = next(
        (number for number, line in enumerate(lines) if number > first and not line.startswith(" ")), len(lines)
    )
    return "\n".join(line[15:] for line in lines[first:below])


def test_it_starts_without_its_upstream(tmp_path: Path) -> None:
    """It serves although the upstream cannot be reached, and prints where, from which data, and what clients need."""
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
        assert "               https://ghcr.io as ghcr.io/" in lines
        assert json.loads(told(process, "daemon.json")) == {"registry-mirrors": [url]}
        assert tomllib.loads(told(process, "hosts.toml")) == {"host": {url: {"capabilities": ["pull", "resolve"]}}}
        registries = tomllib.loads(told(process, "registries"))["registry"]
        assert [one["location"] for one in registries] == [
            *("127.0.0.1:1", "ghcr.io", "quay.io", "registry.k8s.io", "gcr.io", "public.ecr.aws", "mcr.microsoft.com")
        ]
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


def test_skopeo_takes_what_is_printed_for_it(tmp_path: Path) -> None:
    """Put into registries.conf, it leads to the mirror for an image of another registry."""
    port, file = choose_port(), tmp_path / "registries.conf"
    process = start(
        tmp_path,
        port,
        REGISTRY_PROXY_REMOTEURL="http://127.0.0.1:1",
        REGISTRY_PROXY_UPSTREAMS="[{namespace: 'mirrored.invalid:5000', remoteurl: 'http://127.0.0.1:1'}]",
    )
    try:
        file.write_text(told(process, "registries"))
        image_name = "docker://mirrored.invalid:5000/owner/name:1"
        subprocess.run(
            [need("skopeo"), "--registries-conf", str(file), "inspect", image_name],
            capture_output=True,
            env=clean_environment(),
            timeout=RUN_LIMIT,
            check=False,
        )
    finally:
        process.stop()
    assert "/v2/mirrored.invalid_5000/owner/name/manifests/1" in process.output()
