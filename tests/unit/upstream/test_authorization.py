"""The Authorization header of one upstream: asked for once, shared, renewed."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from entrepot.oci.errors import Denied, Unauthorized, UpstreamFailed, UpstreamUnreachable
from entrepot.oci.names import RepositoryName
from entrepot.upstream.addresses import Address
from entrepot.upstream.authorization import Authorizer
from entrepot.upstream.credentials import StaticCredentials
from entrepot.upstream.tokens import TokenAnswer, TokenRequest
from entrepot.wire.challenge import basic, bearer

REMOTE = "https://registry.example"
NAME = RepositoryName.parse("library/busybox")
OTHER = RepositoryName.parse("library/alpine")
CHALLENGES = [bearer(f"{REMOTE}/token", "service")]


class TokenService:
    """Gives numbered tokens, or what it was told to answer next; can be made to wait."""

    def __init__(self) -> None:
        self.asked: list[TokenRequest] = []
        self.next: list[TokenAnswer | Exception] = []
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, request: TokenRequest) -> TokenAnswer:
        self.asked.append(request)
        number = len(self.asked)
        await self.open.wait()
        answer = self.next.pop(0) if self.next else TokenAnswer(200, b'{"token":"%d","expires_in":300}' % number)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Clock:
    """Time that passes when told."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def _authorizer(service: TokenService, clock: Callable[[], float] | None = None) -> Authorizer:
    source = StaticCredentials(REMOTE, "user", "planted")
    return Authorizer(Address.parse(REMOTE), source, service, clock=clock or Clock())


async def _together(*waiting: Awaitable[object]) -> list[object]:
    return list(await asyncio.gather(*waiting, return_exceptions=True))


async def test_nothing_is_asked_before_a_challenge() -> None:
    """An upstream that never challenged gets no header, and no token service is asked."""
    service = TokenService()

    assert await _authorizer(service).known(NAME) is None
    assert service.asked == []


async def test_kept_and_asked_ahead() -> None:
    """After the first challenge its header is kept, and tokens for other repositories are fetched in advance."""
    service = TokenService()
    authorizer = _authorizer(service)

    assert await authorizer.renew(NAME, CHALLENGES, None) == "Bearer 1"
    assert await authorizer.known(NAME) == "Bearer 1"
    assert await authorizer.known(OTHER) == "Bearer 2"
    assert len(service.asked) == 2


async def test_renewed_before_it_expires() -> None:
    """A token whose time is over is fetched anew, once."""
    service, clock = TokenService(), Clock()
    authorizer = _authorizer(service, clock)
    await authorizer.renew(NAME, CHALLENGES, None)
    clock.now += 290

    assert await authorizer.known(NAME) == "Bearer 2"
    assert await authorizer.known(NAME) == "Bearer 2"


async def test_one_refresh_for_all_who_wait() -> None:
    """A hundred requests whose token was refused cause one question, and all go on with its answer."""
    service = TokenService()
    authorizer = _authorizer(service)
    await authorizer.renew(NAME, CHALLENGES, None)
    service.open.clear()
    waiting = [asyncio.ensure_future(authorizer.renew(NAME, CHALLENGES, "Bearer 1")) for _ in range(100)]
    await asyncio.sleep(0)
    service.open.set()

    assert await _together(*waiting) == ["Bearer 2"] * 100
    assert await authorizer.renew(NAME, CHALLENGES, "Bearer 1") == "Bearer 2"
    assert len(service.asked) == 2


async def test_who_leaves_does_not_fail_the_others() -> None:
    """When the first of those who wait is cancelled, the others still get the token it began to fetch."""
    service = TokenService()
    service.open.clear()
    authorizer = _authorizer(service)
    waiting = [asyncio.ensure_future(authorizer.renew(NAME, CHALLENGES, None)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    service.open.set()
    first, *others = await _together(*waiting)

    assert isinstance(first, asyncio.CancelledError)
    assert others == ["Bearer 1"] * 2
    assert len(service.asked) == 1


async def test_failure_is_told_to_all_and_not_kept() -> None:
    """When the token service can not be reached all who wait are told; the next request asks again."""
    service = TokenService()
    service.next.append(UpstreamUnreachable())
    authorizer = _authorizer(service)
    waiting = [authorizer.renew(NAME, CHALLENGES, None) for _ in range(3)]

    assert [type(outcome) for outcome in await _together(*waiting)] == [UpstreamUnreachable] * 3
    assert await authorizer.renew(NAME, CHALLENGES, None) == "Bearer 2"


async def test_failure_that_nobody_waits_for() -> None:
    """A conversation that fails after all have left disturbs nobody."""
    service = TokenService()
    service.open.clear()
    service.next.append(UpstreamFailed())
    authorizer = _authorizer(service)
    waiting = asyncio.ensure_future(authorizer.renew(NAME, CHALLENGES, None))
    await asyncio.sleep(0)
    waiting.cancel()
    await _together(waiting)
    service.open.set()

    assert await authorizer.renew(OTHER, CHALLENGES, None) == "Bearer 2"


async def test_a_challenge_that_leads_nowhere_is_forgotten() -> None:
    """When a remembered realm fails, the next request begins without a header: the upstream may name another."""
    service = TokenService()
    authorizer = _authorizer(service)
    await authorizer.renew(NAME, CHALLENGES, None)
    service.next.append(TokenAnswer(500, b""))
    with pytest.raises(UpstreamFailed):
        await authorizer.known(OTHER)

    assert await authorizer.known(OTHER) is None


async def test_a_repository_that_is_denied_says_nothing_of_others() -> None:
    """When the token service denies one repository, others are still asked ahead (GHCR denies what does not exist)."""
    service = TokenService()
    authorizer = _authorizer(service)
    await authorizer.renew(NAME, CHALLENGES, None)
    service.next.append(TokenAnswer(403, b""))
    with pytest.raises(Denied):
        await authorizer.known(OTHER)

    assert await authorizer.known(RepositoryName.parse("library/nginx")) == "Bearer 3"


async def test_a_refused_token_is_not_found_again() -> None:
    """A token refused under another service's challenge is dropped, also when no other can be had (nvcr.io)."""
    service = TokenService()
    authorizer = _authorizer(service)
    await authorizer.renew(NAME, CHALLENGES, None)
    service.next.append(TokenAnswer(401, b""))
    with pytest.raises(Unauthorized):
        await authorizer.renew(NAME, [bearer(f"{REMOTE}/other", "other")], "Bearer 1")

    assert await authorizer.known(NAME) == "Bearer 3"


async def test_basic_needs_no_questions() -> None:
    """A Basic challenge is answered from the account alone."""
    service = TokenService()

    assert await _authorizer(service).renew(NAME, [basic("x")], None) == "Basic dXNlcjpwbGFudGVk"
    assert service.asked == []


async def test_without_a_source() -> None:
    """Without credentials a token is asked for anonymously, and Basic can not be answered."""
    service = TokenService()
    authorizer = Authorizer(Address.parse(REMOTE), None, service)

    assert await authorizer.renew(NAME, CHALLENGES, None) == "Bearer 1"
    assert service.asked[0].authorization is None
    with pytest.raises(Unauthorized):
        await authorizer.renew(NAME, [basic("x")], "Bearer 1")


async def test_close_ends_what_is_under_way() -> None:
    """Closing leaves no conversation behind."""
    service = TokenService()
    service.open.clear()
    authorizer = _authorizer(service)
    waiting = asyncio.ensure_future(authorizer.renew(NAME, CHALLENGES, None))
    await asyncio.sleep(0)
    before = asyncio.all_tasks()
    await authorizer.close()
    outcome = await _together(waiting)

    assert isinstance(outcome[0], asyncio.CancelledError)
    assert len(before) == 3
    assert len(asyncio.all_tasks()) == 1
