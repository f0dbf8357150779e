"""A test upstream and clients of it, closed when the test is done."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from entrepot.testing.upstreams import TestUpstream
from entrepot.upstream.client import Limits, OciUpstream
from entrepot.upstream.credentials import StaticCredentials

Connect = Callable[..., OciUpstream]

# Met only by what never comes: a stalled upstream is not more stalled on a slow machine.
IMPATIENT = Limits(idle=0.5, metadata=0.5, listing=0.5)


@pytest.fixture
async def upstream() -> AsyncIterator[TestUpstream]:
    """A registry to pull from that wants no credentials until a test says so."""
    async with TestUpstream() as running:
        yield running


@pytest.fixture
async def connect(upstream: TestUpstream) -> AsyncIterator[Connect]:
    """Make clients of the upstream, with a user name and password where given."""
    async with AsyncExitStack() as open_clients:

        def make(username: str = "", password: str = "", *, limits: Limits | None = None, url: str = "") -> OciUpstream:
            remoteurl = url or upstream.url
            source = StaticCredentials(remoteurl, username, password) if username else None
            client = OciUpstream(remoteurl, source, limits=limits)
            open_clients.push_async_callback(client.close)
            return client

        yield make
