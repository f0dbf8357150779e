"""A slow client of a blob that the mirror is still fetching (F-020, R37): it holds up nobody, and costs little."""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from entrepot.testing.upstreams import TestUpstream, ThreadedUpstream
from tests.conftest import Serve
from tests.http.processes import await_workers, memory, open_files
from tests.http.test_slow import stall
from tests.http.waiting import wait_until
from tests.http.wire import Wire, exchange, request
from tests.servers import Server

NAME = "library/large"
LARGE = 24 << 20
STALLED = 6


@pytest.fixture
def upstream() -> Iterator[TestUpstream]:
    """A registry to mirror."""
    with ThreadedUpstream() as upstream:
        yield upstream


@pytest.fixture
def mirror(serve: Serve, upstream: TestUpstream) -> Server:
    """A mirror with nothing in it."""
    server = serve({"proxy": {"remoteurl": upstream.url}, "storage": {"delete": None}})
    await_workers(server.pid)
    return server


def test_cold_blob_for_clients_that_do_not_read(mirror: Server, upstream: TestUpstream) -> None:
    """The fill goes on to its end; others get the blob at once; who reads later gets the right bytes."""
    content = secrets.token_bytes(LARGE)
    digest = upstream.add_blob(NAME, content)
    path = f"/v2/{NAME}/blobs/{digest}"
    before = memory(mirror.pid)
    with ExitStack() as stack:
        stalled = [stall(stack, mirror.port, request(path)) for _ in range(STALLED)]
        grown = memory(mirror.pid) - before
        prompt = exchange(mirror.port, request(path))[0]
        late = stalled[0].answer()

    assert prompt.body == content
    assert late is not None
    assert late.body == content
    assert grown < LARGE + STALLED * 4 << 20
    assert upstream.count("GET", digest) == 1


def test_clients_that_leave_a_cold_blob(mirror: Server, upstream: TestUpstream) -> None:
    """F-091: however many leave in the middle, the blob is fetched once and nothing stays open for them."""
    content = secrets.token_bytes(LARGE)
    digest = upstream.add_blob(NAME, content)
    path = f"/v2/{NAME}/blobs/{digest}"
    for _ in range(STALLED):
        with Wire(mirror.port) as wire:
            wire.send(request(path))
            assert wire.receive(1000)
            wire.reset()

    assert exchange(mirror.port, request(path))[0].body == content
    assert upstream.count("GET", digest) == 1
    wait_until(lambda: open_files(mirror.pid, below=mirror.root / "docker") == 0)
