"""Several upstreams as one: who is asked when, and what counts as gone."""

from collections.abc import AsyncIterator

import pytest

from entrepot.oci.digest import Digest
from entrepot.oci.errors import Denied, ManifestUnknown, RegistryError, TooManyRequests, UpstreamUnreachable
from entrepot.testing import images
from entrepot.testing.faults import Fault, cut, held, status
from entrepot.testing.upstreams import TestUpstream
from entrepot.upstream.base import ABSENT, BrokeOff, Upstream
from entrepot.upstream.client import Limits, OciUpstream
from entrepot.upstream.failover import Failover
from tests.unit.upstream.conftest import NAME, QUESTIONS, TAG, Question, read_into

LIMITS = Limits(idle=3.0, metadata=3.0, listing=3.0, pauses=())


class Pair:
    """Two upstreams with the same content, and both as one."""

    def __init__(self, first: TestUpstream, second: TestUpstream) -> None:
        self.first, self.second = first, second
        self.both: Upstream = Failover([OciUpstream(one.url, limits=LIMITS) for one in (first, second)])

    def add_image(self) -> Digest:
        """Put an image into both."""
        image = images.image()
        self.first.add_image(NAME, TAG, image)
        return self.second.add_image(NAME, TAG, image)


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    """Two upstreams that want no credentials."""
    async with TestUpstream() as first, TestUpstream() as second:
        made = Pair(first, second)
        yield made
        await made.both.close()


async def test_the_first_alone(pair: Pair) -> None:
    """As long as the first one answers nobody else is asked."""
    expected = pair.add_image()

    assert await pair.both.resolve(NAME, TAG) == expected
    assert pair.second.count() == 0


@pytest.mark.parametrize("fault", [status(500), status(503), status(429), held(), cut()])
@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
async def test_the_next_where_the_first_fails(pair: Pair, fault: Fault, question: Question) -> None:
    """Whatever is asked, one that fails, throttles or is silent is passed over."""
    blob = pair.second.add_blob(NAME, b"nothing")
    pair.second.add_image(NAME, TAG, images.image())
    pair.first.misbehave(fault)
    await question(pair.both)  # the blob that all questions ask for is this one

    assert blob == Digest.of(b"nothing")
    assert pair.first.count() > 0


async def test_the_next_where_the_first_is_down(pair: Pair) -> None:
    """One that is down is passed over, and asked again when it is up."""
    expected = pair.add_image()
    await pair.first.stop()
    assert await pair.both.resolve(NAME, TAG) == expected
    await pair.first.start()
    assert await pair.both.resolve(NAME, TAG) == expected

    assert (pair.first.count(), pair.second.count()) == (1, 1)


@pytest.mark.parametrize(("code", "error"), [(404, ManifestUnknown), (403, Denied)])
async def test_a_word_of_the_first_counts(pair: Pair, code: int, error: type[RegistryError]) -> None:
    """What is gone, or refused, is not looked for elsewhere."""
    pair.add_image()
    pair.first.misbehave(status(code))
    with pytest.raises(error):
        await pair.both.resolve(NAME, TAG)

    assert pair.second.count() == 0


async def test_nothing_is_gone_that_the_first_may_have(pair: Pair) -> None:
    """A later one that does not have it does not make it absent while an earlier one can not be asked."""
    await pair.first.stop()
    with pytest.raises(UpstreamUnreachable) as refusal:
        await pair.both.resolve(NAME, TAG)

    assert not isinstance(refusal.value, ABSENT)
    assert pair.second.count() == 1


async def test_all_fail(pair: Pair) -> None:
    """Where none answers, it is the first one's failure that is told."""
    pair.first.misbehave(status(429, Retry_After="7"))
    pair.second.misbehave(status(500))
    with pytest.raises(TooManyRequests):
        await pair.both.resolve(NAME, TAG)


async def test_breaking_off_is_for_the_reader(pair: Pair) -> None:
    """Once bytes came, nobody goes on elsewhere unasked: the reader begins anew where it was."""
    content = bytes(100_000)
    digest = pair.first.add_blob(NAME, content)
    pair.second.add_blob(NAME, content)
    pair.first.misbehave(cut(1000), times=1)
    received = bytearray()
    with pytest.raises(BrokeOff):
        await read_into(received, pair.both, digest)
    assert pair.second.count() == 0
    await pair.first.stop()
    await read_into(received, pair.both, digest)

    assert bytes(received) == content


async def test_one_is_enough(pair: Pair) -> None:
    """One upstream behaves as it does alone; none is a mistake."""
    expected = pair.add_image()
    single = Failover([OciUpstream(pair.first.url)])
    assert await single.resolve(NAME, TAG) == expected
    await single.close()
    with pytest.raises(ValueError, match="at least one"):
        Failover([])
