"""What becomes of an upstream that refuses, throttles, challenges for ever or gives no answer, whatever is asked."""

import pytest

from entrepot.oci.errors import (
    Denied,
    RegistryError,
    TooManyRequests,
    Unauthorized,
    UpstreamFailed,
    UpstreamUnreachable,
)
from entrepot.testing import images
from entrepot.testing.demands import BasicDemand, BearerDemand
from entrepot.testing.faults import (
    Fault,
    Reply,
    body,
    cut,
    endless,
    header,
    held,
    raw,
    reset,
    slow_head,
    status,
)
from entrepot.testing.upstreams import TestUpstream
from entrepot.upstream.base import ABSENT, REFUSED
from tests.unit.upstream.conftest import IMPATIENT, NAME, TAG, Connect, Question


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (status(401), Unauthorized),
        (status(403), Denied),
        (status(429), TooManyRequests),
        (status(500), UpstreamFailed),
        (status(502), UpstreamFailed),
        (status(503), UpstreamFailed),
        (status(204), UpstreamFailed),
        (status(206), UpstreamFailed),
        (status(304), UpstreamFailed),
        (status(418), UpstreamFailed),
        (status(307), UpstreamFailed),
        (raw(b"GARBAGE\r\n\r\n"), UpstreamFailed),
        (raw(b"\x16\x03\x01\x02\x00"), UpstreamFailed),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n12345"), UpstreamFailed),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n123456"), UpstreamFailed),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n"), UpstreamFailed),
        (raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 2_000_000 + b"\r\n\r\n"), UpstreamFailed),
        (raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n"), UpstreamFailed),
        (cut(), UpstreamUnreachable),
        (reset(), UpstreamUnreachable),
    ],
)
async def test_no_usable_answer(
    upstream: TestUpstream, connect: Connect, question: Question, fault: Fault, error: type[RegistryError]
) -> None:
    """Whatever is asked, a refusal means what it says, and what is no answer is a failure: never "absent"."""
    upstream.misbehave(fault)
    with pytest.raises(REFUSED) as refusal:
        await question(connect())

    assert refusal.type is error
    assert not isinstance(refusal.value, ABSENT)


@pytest.mark.parametrize("fault", [held(), slow_head(0.1)])
async def test_no_answer_in_time(upstream: TestUpstream, connect: Connect, question: Question, fault: Fault) -> None:
    """Whatever is asked, an upstream that stalls, or drips its head byte by byte, is given up."""
    upstream.misbehave(fault)
    with pytest.raises(UpstreamUnreachable):
        await question(connect(limits=IMPATIENT))


@pytest.mark.parametrize(
    ("sent", "expected"), [("5", "5"), ("1000000000", "60"), ("junk", "5"), ("\xff", "5"), (None, "5")]
)
async def test_throttled(
    upstream: TestUpstream, connect: Connect, question: Question, sent: str | None, expected: str
) -> None:
    """429 comes with a Retry-After that makes sense, and nothing is asked again at once."""
    upstream.misbehave(status(429, b"You have reached your pull rate limit", **({"Retry_After": sent} if sent else {})))
    with pytest.raises(TooManyRequests) as refusal:
        await question(connect())

    assert refusal.value.headers == (("Retry-After", expected),)
    assert upstream.count() == 1


async def test_challenges_are_not_passed_on(upstream: TestUpstream, connect: Connect, question: Question) -> None:
    """A mirror's client never sees the upstream's challenge."""
    upstream.demand = BasicDemand("user", "password")
    for client in (connect(), connect("user", "wrong")):
        with pytest.raises(Unauthorized) as refusal:
            await question(client)

        assert refusal.value.headers == ()
        assert "test upstream" not in str(refusal.value)


async def test_a_password_that_is_changed(upstream: TestUpstream, connect: Connect, question: Question) -> None:
    """A password that was good once and is refused now is not tried again and again."""
    upstream.demand = BasicDemand("user", "password")
    upstream.add_image(NAME, TAG, images.image())
    client = connect("user", "password")
    await client.resolve(NAME, TAG)
    upstream.demand.password = "changed"
    before = upstream.count()
    with pytest.raises(Unauthorized):
        await question(client)

    assert upstream.count() == before + 1


async def test_an_upstream_that_always_challenges(upstream: TestUpstream, connect: Connect, question: Question) -> None:
    """Tokens that are never taken are not fetched for ever."""
    upstream.demand = demand = BearerDemand()
    upstream.misbehave(_challenge_again(upstream), path="/v2/")
    with pytest.raises(Unauthorized):
        await question(connect())

    assert demand.issued <= 2
    assert upstream.count(path="/v2/") <= 3


def _challenge_again(upstream: TestUpstream) -> Fault:
    return lambda _: Reply(401, (("WWW-Authenticate", f'Bearer realm="{upstream.url}/token",service="s"'),))


async def test_an_upstream_that_always_challenges_anew(
    upstream: TestUpstream, connect: Connect, question: Question
) -> None:
    """Also where each challenge names another service, two rounds are the limit."""
    upstream.demand = demand = BearerDemand()
    number = iter(range(1000))
    upstream.misbehave(
        lambda _: Reply(401, (("WWW-Authenticate", f'Bearer realm="{upstream.url}/token",service="{next(number)}"'),)),
        path="/v2/",
    )
    with pytest.raises(Unauthorized):
        await question(connect())

    assert demand.issued == 2
    assert upstream.count(path="/v2/") == 3


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (status(401), Unauthorized),
        (status(403), Denied),
        (status(429, Retry_After="7"), TooManyRequests),
        (status(404), UpstreamFailed),
        (status(500), UpstreamFailed),
        (status(302, Location="/token2"), UpstreamFailed),
        (body(b"<html>"), UpstreamFailed),
        (body(b""), UpstreamFailed),
        (body(b"{}"), UpstreamFailed),
        (header("Content-Encoding", "gzip"), UpstreamFailed),
        (cut(5), UpstreamFailed),
        (cut(), UpstreamUnreachable),
    ],
)
async def test_token_service_fails(
    upstream: TestUpstream, connect: Connect, question: Question, fault: Fault, error: type[RegistryError]
) -> None:
    """A token service that refuses or fails refuses or fails the question."""
    upstream.demand = BearerDemand()
    upstream.misbehave(fault, path="/token")
    with pytest.raises(error) as refusal:
        await question(connect())

    assert isinstance(refusal.value, REFUSED)
    assert upstream.count(path="/token2") == 0


@pytest.mark.parametrize("fault", [held(), held(0), held(5)])
async def test_token_service_stalls(upstream: TestUpstream, connect: Connect, question: Question, fault: Fault) -> None:
    """A token service that stalls is given up, and the question with it."""
    upstream.demand = BearerDemand()
    upstream.misbehave(fault, path="/token")
    with pytest.raises(UpstreamFailed):
        await question(connect(limits=IMPATIENT))


async def test_endless_token(upstream: TestUpstream, connect: Connect) -> None:
    """A token service that never ends is cut off at its bound."""
    upstream.demand = BearerDemand()
    upstream.misbehave(body(b" " * 16_384), path="/token")
    upstream.misbehave(endless(), path="/token")
    with pytest.raises(UpstreamFailed, match="more than 65536"):
        await connect().resolve(NAME, TAG)


@pytest.mark.parametrize("fault", [held(0), held(3), endless(), cut(3)])
async def test_a_refusal_that_never_ends(
    upstream: TestUpstream, connect: Connect, question: Question, fault: Fault
) -> None:
    """The body of a refusal is not waited for: the status alone counts."""
    upstream.misbehave(status(403, b"denied"))
    upstream.misbehave(fault)
    with pytest.raises(Denied):
        await question(connect())


async def test_too_many_redirects(upstream: TestUpstream, connect: Connect, question: Question) -> None:
    """A circle of redirects is left after five."""
    upstream.misbehave(status(307, Location="/v2/again"))
    with pytest.raises(UpstreamFailed, match="more than 5"):
        await question(connect())

    assert upstream.count() == 6
