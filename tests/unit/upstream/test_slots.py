"""How many may ask at once, and what becomes of the rest."""

import asyncio

import pytest

from entrepot.oci.errors import UpstreamUnreachable
from entrepot.testing import images
from entrepot.testing.demands import BearerDemand
from entrepot.testing.faults import Gate, held
from entrepot.testing.upstreams import TestUpstream
from entrepot.upstream.client import Limits
from entrepot.upstream.slots import Slots
from tests.unit.upstream.conftest import NAME, TAG, Connect, read_blob


async def test_in_the_order_they_came() -> None:
    """Who waits gets the next slot before who comes later."""
    slots, order, gate = Slots(1, 10, 60.0), list[int](), asyncio.Event()

    async def take(number: int) -> None:
        async with slots.taken():
            order.append(number)
            await gate.wait()

    taking = [asyncio.create_task(take(number)) for number in range(5)]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*taking)

    assert order == [0, 1, 2, 3, 4]


async def test_no_pile_up() -> None:
    """Beyond the queue nobody waits: 503 at once, and when to come back."""
    slots = Slots(1, 2, 60.0)
    async with slots.taken():
        waiting = [asyncio.create_task(slots.taken().__aenter__()) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(UpstreamUnreachable) as refusal:
            await slots.taken().__aenter__()
        assert refusal.value.headers == (("Retry-After", "1"),)
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    async with slots.taken():  # who left the queue has taken nothing along
        pass


async def test_not_for_ever() -> None:
    """Waiting ends after a while, and then the slot is still there for others."""
    slots = Slots(1, 2, 0.01)
    async with slots.taken():
        with pytest.raises(UpstreamUnreachable):
            await slots.taken().__aenter__()
    async with slots.taken():
        pass


async def test_many_cold_blobs(upstream: TestUpstream, connect: Connect) -> None:
    """No more downloads than there are connections, all of them in the end, and tags in between."""
    expected = upstream.add_image(NAME, TAG, images.image())
    digests = [upstream.add_blob(NAME, b"%d" % number) for number in range(100)]
    gate = Gate()
    upstream.misbehave(held(-1, gate), path="/blobs/")
    client = connect(limits=Limits(blob_connections=4))
    reading = [asyncio.create_task(read_blob(client, digest)) for digest in digests]
    await gate.reached()

    assert await client.resolve(NAME, TAG) == expected
    assert upstream.count(path="/blobs/") <= 4
    gate.open()
    assert await asyncio.gather(*reading) == [b"%d" % number for number in range(100)]


async def test_tokens_need_no_slot(upstream: TestUpstream, connect: Connect) -> None:
    """When all who may ask wait for a token, the token is still fetched."""
    upstream.demand = BearerDemand()
    expected = upstream.add_image(NAME, TAG, images.image())
    digest = upstream.add_blob(NAME, b"content")
    client = connect(limits=Limits(metadata_connections=1, blob_connections=1))
    found = await asyncio.gather(client.resolve(NAME, TAG), read_blob(client, digest), client.resolve(NAME, TAG))

    assert list(found) == [expected, b"content", expected]
