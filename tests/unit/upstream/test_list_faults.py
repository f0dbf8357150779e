"""What becomes of lists of tags and referrers that are none, have no end or lead astray."""

import json

import pytest

from entrepot.oci.errors import (
    UpstreamFailed,
)
from entrepot.testing import images
from entrepot.testing.faults import (
    Fault,
    Reply,
    body,
    endless,
)
from entrepot.testing.upstreams import TestUpstream
from tests.unit.upstream.conftest import NAME, NOTHING, TAG, Connect


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b'{"tags": {}}',
        b'{"tags": "a"}',
        b"[" * 100_000,
        b"\xff",
        b'{"tags":[' + b"1" * 5000,
    ],
)
async def test_no_list_of_tags(upstream: TestUpstream, connect: Connect, sent: bytes) -> None:
    """What is no list of tags is a failure, not an empty list."""
    upstream.add_image(NAME, TAG, images.image())
    upstream.misbehave(body(sent))
    with pytest.raises(UpstreamFailed):
        await connect().tags(NAME, "", None)


@pytest.mark.parametrize(
    "link",
    [
        '<https://evil.example/v2/a/tags/list>; rel="next"',
        '<http://127.0.0.1:1/v2/a/tags/list>; rel="next"',
        '<//evil.example/v2/a/tags/list>; rel="next"',
        '<file:///etc/passwd>; rel="next"',
        '</v2/library/busybox/tags/list?n=1000>; rel="next"',
    ],
)
async def test_links_that_lead_astray(upstream: TestUpstream, connect: Connect, link: str) -> None:
    """A list goes on at the same origin, and never in a circle."""
    upstream.misbehave(_tags("a", link))
    with pytest.raises(UpstreamFailed):
        await connect().tags(NAME, "", None)

    assert upstream.count() == 1


def _tags(tag: str, link: str) -> Fault:
    return lambda _: Reply(200, (("Link", link),), json.dumps({"tags": [tag]}).encode())


async def test_endless_list(upstream: TestUpstream, connect: Connect) -> None:
    """A list that always has one more page is given up at a bound; who wants ten tags gets ten."""
    number = iter(range(1_000_000))

    def one_more(reply: Reply) -> Reply:
        return _tags("a", f'</v2/next?{next(number)}>; rel="next"')(reply)

    upstream.misbehave(one_more)
    client = connect()

    assert len((await client.tags(NAME, "", 10)).items) == 10
    with pytest.raises(UpstreamFailed, match="no end"):
        await client.tags(NAME, "", None)
    assert upstream.count() <= 1011


@pytest.mark.parametrize("path", ["/tags/", "/referrers/"])
async def test_endless_page(upstream: TestUpstream, connect: Connect, path: str) -> None:
    """A page that never ends is cut off at its bound."""
    upstream.add_image(NAME, TAG, images.image())
    upstream.misbehave(body(b" " * 65_536), path=path)
    upstream.misbehave(endless(), path=path)
    asking = connect().tags(NAME, "", None) if "tags" in path else connect().referrers(NAME, NOTHING, None)
    with pytest.raises(UpstreamFailed, match="more than"):
        await asking


@pytest.mark.parametrize(
    "sent", [b"", b"<html>", b"{}", b'{"schemaVersion":2}', b'{"schemaVersion":2,"manifests":[{}]}']
)
async def test_no_list_of_referrers(upstream: TestUpstream, connect: Connect, sent: bytes) -> None:
    """What is no index of descriptors is a failure, not an empty list."""
    upstream.misbehave(body(sent))
    with pytest.raises(UpstreamFailed):
        await connect().referrers(NAME, NOTHING, None)
