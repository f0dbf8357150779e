"""Upstreams that want to know who asks: tokens for the repository, or a name and a password."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable

import pytest

from entrepot.oci.errors import Unauthorized
from entrepot.oci.names import RepositoryName
from entrepot.testing.demands import BasicDemand, BearerDemand, Demand
from entrepot.testing.images import image
from entrepot.testing.upstreams import TestUpstream
from entrepot.upstream.credentials import StaticCredentials
from tests.mirror.conftest import NAME, Start

CONTENT = os.urandom(300_000)
NAMES = [RepositoryName.parse(name) for name in ("library/a", "library/b")]


@pytest.fixture
async def bearer() -> AsyncIterator[TestUpstream]:
    """An upstream that gives tokens to one account only, and each for one repository."""
    async with TestUpstream(BearerDemand("mirror", "secret")) as upstream:
        yield upstream


@pytest.fixture
async def basic() -> AsyncIterator[TestUpstream]:
    """An upstream that wants a name and a password."""
    async with TestUpstream(BasicDemand("mirror", "secret")) as upstream:
        yield upstream


def known(upstream: TestUpstream, password: str = "secret") -> StaticCredentials:
    """What the configuration says."""
    return StaticCredentials(upstream.url, "mirror", password)


async def test_a_pull_with_tokens(bearer: TestUpstream, start: Start) -> None:
    """One token for each repository, however many requests; expired ones are renewed in the middle of it."""
    worker = start(bearer.url, known(bearer))
    pushed = image(3)
    for name in NAMES:
        bearer.add_image(name, "latest", pushed)
        bearer.add_blob(name, CONTENT)
    demand = bearer.demand
    assert isinstance(demand, BearerDemand)

    for name in NAMES:
        assert await worker.pull("latest", name) == pushed.content
        digests = [bearer.add_blob(name, blob.content) for blob in pushed.blobs]
        got = await asyncio.gather(*(worker.blob(digest, name) for digest in digests))
        assert got == [blob.content for blob in pushed.blobs]
    assert demand.issued == 2

    demand.expire()
    assert await worker.blob(bearer.add_blob(NAMES[0], CONTENT), NAMES[0]) == CONTENT
    assert demand.issued == 3


async def test_a_pull_with_a_password(basic: TestUpstream, start: Start) -> None:
    """It is asked for once, and then sent along."""
    worker = start(basic.url, known(basic))
    pushed = image(1)
    basic.add_image(NAME, "latest", pushed)

    assert await worker.pull("latest") == pushed.content
    for blob in pushed.blobs:
        assert await worker.blob(basic.add_blob(NAME, blob.content)) == blob.content
    assert await worker.pull("latest") == pushed.content


@pytest.mark.parametrize("demand", [BearerDemand, BasicDemand])
@pytest.mark.parametrize("password", [None, "wrong"])
async def test_without_the_right_credentials_nothing_is_served(
    start: Start, demand: Callable[[str, str], Demand], password: str | None
) -> None:
    """But what is cached is, as when the upstream is down; nothing of the refusal is kept."""
    async with TestUpstream(demand("mirror", "secret")) as upstream:
        pushed = image(1)
        upstream.add_image(NAME, "latest", pushed)
        digest = upstream.add_blob(NAME, CONTENT)
        stranger = start(upstream.url, None if password is None else known(upstream, password))

        with pytest.raises(Unauthorized):
            await stranger.pull("latest")
        with pytest.raises(Unauthorized):
            await stranger.blob(digest)

        friend = start(upstream.url, known(upstream))
        assert await friend.pull("latest") == pushed.content
        assert await friend.blob(digest) == CONTENT
        await friend.settled()
        assert await stranger.pull("latest") == pushed.content
        assert await stranger.blob(digest) == CONTENT


async def test_blobs_from_elsewhere_are_fetched_without_credentials(bearer: TestUpstream, start: Start) -> None:
    """A redirect leads to a store of objects that wants none, and must see none."""
    bearer.redirects_blobs = True
    worker = start(bearer.url, known(bearer))
    digest = bearer.add_blob(NAME, CONTENT)

    assert await worker.blob(digest) == CONTENT

    assert len(bearer.cdn.requests) == 1
    assert b"authorization" not in bytes(bearer.cdn.received).lower()
