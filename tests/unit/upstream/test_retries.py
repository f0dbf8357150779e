"""What is asked again, how often, and what never is."""

import pytest

from entrepot.oci.digest import Digest
from entrepot.oci.errors import Denied, TooManyRequests, Unauthorized, UpstreamFailed, UpstreamUnreachable
from entrepot.testing import images
from entrepot.testing.faults import Fault, cut, held, raw, reset, status
from entrepot.testing.upstreams import CDN_PATH, TestUpstream
from entrepot.upstream.base import BrokeOff
from entrepot.upstream.breaker import Tolerance
from entrepot.upstream.client import Limits
from tests.unit.upstream.conftest import NAME, TAG, Connect, Question, read_blob

NEVER_OPEN = Tolerance(failures=1000)


@pytest.mark.parametrize("code", [500, 502, 503, 504])
async def test_a_burst_of_failures(upstream: TestUpstream, connect: Connect, code: int) -> None:
    """Two failures in a row are overcome: for tags, manifests, sizes, blobs and lists alike."""
    image = images.image()
    digest = upstream.add_image(NAME, TAG, image)
    blob = Digest.parse(image.blobs[0].digest)
    client = connect()
    rule = upstream.misbehave(status(code), times=2)
    assert await client.resolve(NAME, TAG) == digest
    for asking in (
        lambda: client.manifest(NAME, TAG),
        lambda: client.stat_blob(NAME, blob),
        lambda: read_blob(client, blob),
        lambda: client.tags(NAME, "", None),
        lambda: client.referrers(NAME, digest, None),
    ):
        rule.met = 0
        await asking()
        assert rule.met == 2


async def test_not_for_ever(upstream: TestUpstream, connect: Connect, question: Question) -> None:
    """The third failure is the answer."""
    upstream.misbehave(status(503))
    with pytest.raises(UpstreamFailed, match="503"):
        await question(connect(limits=Limits(pauses=(0, 0), tolerance=NEVER_OPEN)))

    assert upstream.count() == 3


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (status(401), (Unauthorized, 1)),
        (status(403), (Denied, 1)),
        (status(429), (TooManyRequests, 1)),
        (status(503, Retry_After="1"), (UpstreamFailed, 1)),
        (status(418), (UpstreamFailed, 1)),
        (raw(b"GARBAGE\r\n\r\n"), (UpstreamFailed, 1)),
        (reset(), (UpstreamUnreachable, 2)),  # a kept connection may have died; that is all
        (cut(), (UpstreamUnreachable, 2)),
    ],
)
async def test_not_asked_again(
    upstream: TestUpstream, connect: Connect, question: Question, fault: Fault, expected: tuple[type[Exception], int]
) -> None:
    """Refusals, garbage and failures that name their time are taken as they are."""
    upstream.misbehave(fault)
    with pytest.raises(expected[0]):
        await question(connect())

    assert upstream.count() == expected[1]


async def test_not_after_the_first_byte(upstream: TestUpstream, connect: Connect) -> None:
    """A blob that broke off is not begun again behind the reader's back."""
    digest = upstream.add_blob(NAME, bytes(100_000))
    upstream.misbehave(cut(1000))
    with pytest.raises(BrokeOff):
        await read_blob(connect(), digest)

    assert upstream.count() == 1


async def test_from_the_registry_again(upstream: TestUpstream, connect: Connect) -> None:
    """Where the place that a blob was redirected to fails, the registry is asked for another one."""
    digest = upstream.add_blob(NAME, b"content")
    upstream.redirects_blobs = True
    other = await upstream.add_cdn()
    upstream.misbehave(status(503), path=CDN_PATH, times=1)

    assert await read_blob(connect(), digest) == b"content"
    assert (len(upstream.cdn.requests), len(other.requests)) == (1, 1)


async def test_nobody_there_for_a_moment(upstream: TestUpstream, connect: Connect) -> None:
    """A connection that does not come about is tried again: an upstream that restarts is hardly noticed."""
    digest = upstream.add_image(NAME, TAG, images.image())
    upstream.redirects_blobs = True
    client = connect(limits=Limits(pauses=(0, 0), tolerance=NEVER_OPEN))
    await upstream.stop()
    with pytest.raises(UpstreamUnreachable):
        await client.resolve(NAME, TAG)
    await upstream.start()

    assert await client.resolve(NAME, TAG) == digest


async def test_within_the_deadline(upstream: TestUpstream, connect: Connect) -> None:
    """All tries together take no longer than one question may."""
    upstream.misbehave(status(503), times=1)
    upstream.misbehave(held(), method="HEAD")
    with pytest.raises(UpstreamUnreachable):
        await connect(limits=Limits(idle=0.5, metadata=0.5, pauses=(60.0,))).resolve(NAME, TAG)

    assert upstream.count() == 1


async def test_not_while_suspended(upstream: TestUpstream, connect: Connect) -> None:
    """When the breaker has opened nothing is asked again."""
    upstream.misbehave(status(503))
    with pytest.raises(UpstreamFailed, match="503"):
        await connect(limits=Limits(pauses=(0, 0), tolerance=Tolerance(failures=2))).resolve(NAME, TAG)

    assert upstream.count() == 2
