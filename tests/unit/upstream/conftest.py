"""A test upstream and clients of it, closed when the test is done."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName, Tag
from entrepot.testing.upstreams import TestUpstream
from entrepot.upstream.base import Upstream
from entrepot.upstream.client import Limits, OciUpstream
from entrepot.upstream.credentials import StaticCredentials

Connect = Callable[..., OciUpstream]

Question = Callable[[Upstream], Awaitable[object]]

NAME = RepositoryName.parse("library/busybox")
TAG = Tag.parse("1")
NOTHING = Digest.of(b"nothing")

# Met only by what never comes: a stalled upstream is not more stalled on a slow machine.
IMPATIENT = Limits(idle=0.5, metadata=0.5, listing=0.5)

# Asks again at once what may be asked again.
PROMPT = Limits(pauses=(0.0, 0.0))


async def read_blob(client: Upstream, digest: Digest, start: int = 0) -> bytes:
    """The whole of a download."""
    async with client.blob(NAME, digest, start) as download:
        return b"".join([bytes(chunk) async for chunk in download.chunks])


async def read_into(received: bytearray, client: Upstream, digest: Digest) -> None:
    """What comes of a download, kept also where it breaks off."""
    async with client.blob(NAME, digest, len(received)) as download:
        async for chunk in download.chunks:
            received += chunk


QUESTIONS: dict[str, Question] = {
    "resolve": lambda client: client.resolve(NAME, TAG),
    "manifest": lambda client: client.manifest(NAME, TAG),
    "stat_blob": lambda client: client.stat_blob(NAME, NOTHING),
    "blob": lambda client: read_blob(client, NOTHING),
    "tags": lambda client: client.tags(NAME, "", None),
    "referrers": lambda client: client.referrers(NAME, NOTHING, None),
}


@pytest.fixture(params=sorted(QUESTIONS))
def question(request: pytest.FixtureRequest) -> Question:
    """Each method of an upstream in turn."""
    return QUESTIONS[request.param]


@pytest.fixture
async def upstream() -> AsyncIterator[TestUpstream]:
    """A registry to pull from that wants no credentials until a test says so."""
    async with TestUpstream() as running:
        yield running


@pytest.fixture
async def connect(upstream: TestUpstream) -> AsyncIterator[Connect]:
    """Make clients of the upstream, with a user name and password where given."""
    async with AsyncExitStack() as open_clients:

        def make(
            username: str = "", password: str = "", *, limits: Limits = PROMPT, url: str = "", **options: Any
        ) -> OciUpstream:
            remoteurl = url or upstream.url
            source = StaticCredentials(remoteurl, username, password) if username else None
            client = OciUpstream(remoteurl, **{"credentials": source, "limits": limits, **options})
            open_clients.push_async_callback(client.close)
            return client

        yield make
