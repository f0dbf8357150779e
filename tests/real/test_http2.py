"""HTTP/2 as real clients speak it: chosen by ALPN, beside HTTP/1.1 on the same port."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.http.certificates import Pair, make_pair
from tests.programs import need
from tests.real.processes import run
from tests.repositories import Repository
from tests.servers import Server

SIZE = 3 << 20


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """A certificate for localhost, which clients trust."""
    return make_pair(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, pair: Pair) -> Iterator[Server]:
    """A server that speaks TLS."""
    with Server(tmp_path_factory.mktemp("server"), {"http": {"tls": pair.settings}}) as running:
        yield running


@pytest.fixture(scope="module")
def url(server: Server) -> str:
    """A blob on it."""
    with server.client() as client:
        repository = Repository(client)
        return f"https://localhost:{server.port}{repository.url('blobs/')}{repository.push_blob(os.urandom(SIZE))}"


@pytest.mark.parametrize(("option", "version"), [("--http2", "2"), ("--http1.1", "1.1")])
def test_curl_gets_what_it_asks_for(pair: Pair, url: str, tmp_path: Path, option: str, version: str) -> None:
    """The whole blob, in the version of the protocol that it prefers."""
    target = tmp_path / "blob"
    told = ["-w", "%{http_version} %{http_code} %{size_download}", "-o", str(target), "--cacert", str(pair.certificate)]

    printed = run([need("curl"), "-s", option, *told, url])

    assert printed.split() == [version, "200", str(SIZE)]
    assert target.stat().st_size == SIZE


@pytest.mark.parametrize("path", ["blob", "/v2/"])
def test_many_streams_of_many_connections(server: Server, url: str, path: str) -> None:
    """Each request of each stream is answered with 200; none fails, none is cut."""
    target = url if path == "blob" else f"https://localhost:{server.port}{path}"
    printed = run([need("h2load"), "-n", "200", "-c", "8", "-m", "16", target])

    assert "Application protocol: h2" in printed
    assert re.search(r"requests: 200 total, 200 started, 200 done, 200 succeeded, 0 failed, 0 errored", printed)
    assert "status codes: 200 2xx" in printed
