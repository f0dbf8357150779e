"""An upstream that is left in peace: what is not asked, what is told, and what stays as it was."""

import asyncio
from dataclasses import dataclass, field

import pytest

from entrepot.oci.errors import TooManyRequests, UpstreamFailed, UpstreamUnreachable
from entrepot.telemetry import SilentMeter
from entrepot.testing import images
from entrepot.testing.demands import BearerDemand
from entrepot.testing.faults import Gate, header, held, status
from entrepot.testing.quirks import PullLimit, rate_headers
from entrepot.testing.upstreams import CDN_PATH, TestUpstream
from entrepot.upstream.breaker import Tolerance
from entrepot.upstream.client import Limits
from tests.unit.upstream.conftest import IMPATIENT, NAME, NOTHING, TAG, Connect, Question, read_blob

LONG = Tolerance(failures=3, first=60.0, longest=60.0)
SHORT = Tolerance(failures=3, first=0.01, longest=0.01)
SUSPENDING = Limits(pauses=(), tolerance=LONG)


@dataclass
class Counts(SilentMeter):
    """Keeps what it is told."""

    answers: list[tuple[str, int]] = field(default_factory=list)
    left: list[tuple[str, int]] = field(default_factory=list)
    changes: list[tuple[str, bool]] = field(default_factory=list)

    def answered(self, upstream: str, status: int) -> None:
        self.answers.append((upstream, status))

    def remaining(self, upstream: str, pulls: int) -> None:
        self.left.append((upstream, pulls))

    def suspended(self, upstream: str, *, is_open: bool) -> None:
        self.changes.append((upstream, is_open))


@pytest.mark.parametrize("code", [500, 502, 503, 504, 599])
async def test_an_upstream_that_fails_is_not_asked_further(
    upstream: TestUpstream, connect: Connect, question: Question, code: int
) -> None:
    """After so many failures in a row the answer is 503, at once, for whatever is asked."""
    upstream.misbehave(status(code))
    client = connect(limits=SUSPENDING)
    for _ in range(3):
        with pytest.raises(UpstreamFailed, match=str(code)):
            await client.resolve(NAME, TAG)
    with pytest.raises(UpstreamUnreachable, match="too often") as refusal:
        await question(client)

    assert 45 <= int(dict(refusal.value.headers)["Retry-After"]) <= 60
    assert upstream.count() == 3


async def test_an_upstream_that_is_down_or_silent(upstream: TestUpstream, connect: Connect) -> None:
    """Connections refused and answers that never come count too, also where it is the asker that loses patience."""
    tolerance = Tolerance(failures=3, first=60.0, slow=0.1)
    silent = connect(limits=Limits(idle=30, metadata=30, pauses=(), tolerance=tolerance))
    upstream.misbehave(held())
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(silent.resolve(NAME, TAG), 0.3)
    down = connect(url="http://127.0.0.1:1", limits=SUSPENDING)
    for _ in range(3):
        with pytest.raises(UpstreamUnreachable, match="not be reached"):
            await down.resolve(NAME, TAG)
    for client in (silent, down):
        with pytest.raises(UpstreamUnreachable, match="too often"):
            await client.resolve(NAME, TAG)


async def test_who_leaves_at_once_says_nothing(upstream: TestUpstream, connect: Connect) -> None:
    """Clients that go away are not the upstream's failure."""
    expected, gate = upstream.add_image(NAME, TAG, images.image()), Gate()
    upstream.misbehave(held(-1, gate), times=10)
    client = connect(limits=Limits(tolerance=Tolerance(failures=3, first=60.0, slow=60.0)))
    for _ in range(10):
        asking = asyncio.ensure_future(client.resolve(NAME, TAG))
        await gate.reached()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    gate.open()

    assert await client.resolve(NAME, TAG) == expected


@pytest.mark.parametrize("code", [401, 403, 404, 418, 501])
async def test_refusals_are_no_failures(upstream: TestUpstream, connect: Connect, code: int) -> None:
    """An upstream that says no, however often, works."""
    expected = upstream.add_image(NAME, TAG, images.image())
    client = connect(limits=SUSPENDING)
    upstream.misbehave(status(code), times=10)
    await asyncio.gather(*(client.manifest(NAME, TAG) for _ in range(10)), return_exceptions=True)

    assert await client.resolve(NAME, TAG) == expected


async def test_where_redirects_lead_is_not_the_upstream(upstream: TestUpstream, connect: Connect) -> None:
    """A place that blobs are redirected to may fail: tags are resolved all the same."""
    expected, digest = upstream.add_image(NAME, TAG, images.image()), upstream.add_blob(NAME, b"content")
    upstream.redirects_blobs = True
    counts = Counts()
    client = connect(limits=SUSPENDING, meter=counts)
    upstream.misbehave(status(500), path=CDN_PATH)
    for _ in range(5):
        with pytest.raises(UpstreamFailed):
            await read_blob(client, digest)
    await upstream.cdn.stop()
    for _ in range(5):
        with pytest.raises(UpstreamUnreachable):
            await read_blob(client, digest)

    assert await client.resolve(NAME, TAG) == expected
    assert {code for _, code in counts.answers} == {307, 200}


async def test_it_comes_back(upstream: TestUpstream, connect: Connect, capfd: pytest.CaptureFixture[str]) -> None:
    """When the time is over one request finds out; each change is told once, whatever else is asked."""
    expected = upstream.add_image(NAME, TAG, images.image())
    counts = Counts()
    client = connect(limits=Limits(pauses=(), tolerance=SHORT), meter=counts, label="docker.io")
    upstream.misbehave(status(503))
    for _ in range(20):
        with pytest.raises(UpstreamFailed):
            await client.resolve(NAME, TAG)
        await asyncio.sleep(0.011)
    upstream.behave()
    for _ in range(20):
        assert await client.resolve(NAME, TAG) == expected
    written = "".join(capfd.readouterr())

    assert counts.changes == [("docker.io", True), ("docker.io", False)]
    assert written.count("upstream_suspended") == written.count("upstream_recovered") == 1
    assert written.count("upstream=docker.io") == 2
    assert set(counts.answers) == {("docker.io", 503), ("docker.io", 200)}


async def test_no_storm_after_429(upstream: TestUpstream, connect: Connect, question: Question) -> None:
    """After one 429 nothing is asked for its Retry-After, of which everybody is told what is left."""
    upstream.misbehave(status(429, Retry_After="30"))
    client = connect()
    with pytest.raises(TooManyRequests):
        await client.resolve(NAME, TAG)
    for _ in range(10):
        with pytest.raises(TooManyRequests) as refusal:
            await question(client)
        assert 25 <= int(dict(refusal.value.headers)["Retry-After"]) <= 36

    assert upstream.count() == 1


async def test_pull_limit(upstream: TestUpstream, connect: Connect, capfd: pytest.CaptureFixture[str]) -> None:
    """What a rate limit leaves is reported when it changes; its end and its return are logged once each."""
    upstream.demand = limit = PullLimit(2)
    digest = upstream.add_image(NAME, TAG, images.image())
    counts = Counts()
    client = connect(limits=Limits(cooldown=0.01), meter=counts, label="docker.io")
    for left in (2, 2, 1):
        upstream.behave()
        upstream.misbehave(rate_headers(2, left))
        await client.resolve(NAME, TAG)
    upstream.behave()
    await client.manifest(NAME, digest)
    await client.manifest(NAME, digest)
    for _ in range(5):
        with pytest.raises(TooManyRequests):
            await client.manifest(NAME, digest)
        await asyncio.sleep(0.013)
    limit.refill()
    await client.manifest(NAME, digest)
    written = "".join(capfd.readouterr())

    assert counts.left == [("docker.io", 2), ("docker.io", 1), ("docker.io", 0)]
    assert written.count("upstream_rate_limited") == written.count("upstream_recovered") == 1
    assert "limit=2" in written
    assert "source=127.0.0.1" in written


async def test_unreachable_counts_as_nothing(connect: Connect) -> None:
    """No answer is reported as status 0, under the upstream's host where it has no other name."""
    counts = Counts()
    with pytest.raises(UpstreamUnreachable):
        await connect(url="http://127.0.0.1:1", limits=IMPATIENT, meter=counts).stat_blob(NAME, NOTHING)

    assert set(counts.answers) == {("127.0.0.1:1", 0)}


async def test_a_token_service_of_its_own_counts(upstream: TestUpstream, connect: Connect) -> None:
    """Where the upstream itself gives the tokens, a 429 from there suspends it too."""
    upstream.demand = BearerDemand()
    upstream.misbehave(status(429, Retry_After="30"), path="/token")
    client = connect()
    for _ in range(5):
        with pytest.raises(TooManyRequests):
            await client.resolve(NAME, TAG)

    assert upstream.count(path="/token") == 1


async def test_garbage_in_the_headers(upstream: TestUpstream, connect: Connect) -> None:
    """A rate limit that makes no sense is none."""
    expected = upstream.add_image(NAME, TAG, images.image())
    counts = Counts()
    for value in ("junk", "-5;w=1", "\xff", "1" * 5000, ""):
        upstream.misbehave(header("ratelimit-remaining", value))
        assert await connect(meter=counts).resolve(NAME, TAG) == expected

    assert counts.left == []
