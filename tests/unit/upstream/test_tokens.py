"""The token flow as a conversation, and the cache of what it brought."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.oci.errors import Denied, RegistryError, TooManyRequests, Unauthorized, UpstreamFailed
from entrepot.oci.names import RepositoryName
from entrepot.upstream.addresses import Address
from entrepot.upstream.base import Credentials
from entrepot.upstream.tokens import (
    Applicant,
    Authorization,
    TokenAnswer,
    TokenCache,
    TokenKey,
    TokenRequest,
    authorize,
)
from entrepot.wire.challenge import Challenge, basic, bearer

HUB = Address.parse("https://registry-1.docker.io")
NAME = RepositoryName.parse("library/busybox")
PASSWORD = "planted-password"
ACCOUNT = Credentials("user", PASSWORD)
BASIC = "Basic " + base64.b64encode(f"user:{PASSWORD}".encode()).decode()
ANONYMOUS = Applicant(HUB, NAME, None)
KNOWN = Applicant(HUB, NAME, ACCOUNT)
HUB_CHALLENGE = bearer("https://auth.docker.io/token", "registry.docker.io", "repository:placeholder/x:pull,push")
TOKEN = TokenAnswer(200, b'{"token":"abc","expires_in":300}')


def _converse(
    challenges: list[Challenge], applicant: Applicant, *answers: TokenAnswer
) -> tuple[list[TokenRequest], Authorization]:
    conversation, left = authorize(challenges, applicant), list(answers)
    asked: list[TokenRequest] = []
    try:
        request = next(conversation)
        while True:
            asked.append(request)
            request = conversation.send(left.pop(0))
    except StopIteration as end:
        authorization: Authorization = end.value
        assert left == []
        return asked, authorization


def test_anonymous_token() -> None:
    """Without an account the token service is asked without a password, for our own scope."""
    asked, authorization = _converse([HUB_CHALLENGE], ANONYMOUS, TOKEN)

    assert [(str(one.url), one.authorization) for one in asked] == [
        (
            "https://auth.docker.io/token?service=registry.docker.io&scope=repository%3Alibrary%2Fbusybox%3Apull",
            None,
        )
    ]
    assert authorization == Authorization("Bearer abc", 290.0)


def test_token_for_an_account() -> None:
    """With an account its name is in the question and its password in the header."""
    asked, _ = _converse([HUB_CHALLENGE], KNOWN, TOKEN)

    assert asked[0].url.query_dict_multi_value["account"] == "user"
    assert asked[0].authorization == BASIC


def test_the_realms_own_query_is_kept() -> None:
    """Parameters that the realm has already stay."""
    asked, _ = _converse([bearer("https://auth.docker.io/token?tenant=7", "s")], ANONYMOUS, TOKEN)

    assert asked[0].url.query_dict_multi_value["tenant"] == "7"


def test_basic() -> None:
    """A Basic challenge is answered at once, and only with an account."""
    assert _converse([basic("x")], KNOWN) == ([], Authorization(BASIC, None))
    with pytest.raises(Unauthorized):
        _converse([basic("x")], ANONYMOUS)


def test_bearer_comes_before_basic() -> None:
    """Where both are offered the token is asked for, and the password kept from the registry itself."""
    _, authorization = _converse([basic("x"), HUB_CHALLENGE], KNOWN, TOKEN)

    assert authorization.value == "Bearer abc"


@pytest.mark.parametrize("status", [401, 403])
def test_basic_where_the_token_service_refuses(status: int) -> None:
    """Where the token service refuses the account and Basic is offered too, Basic is what remains (ACR)."""
    _, authorization = _converse([HUB_CHALLENGE, basic("x")], KNOWN, TokenAnswer(status, b""))

    assert authorization.value == BASIC


@pytest.mark.parametrize("challenges", [[], [Challenge("negotiate")], [Challenge("digest", {"realm": "x"})]])
def test_nothing_to_answer(challenges: list[Challenge]) -> None:
    """Without a challenge that we know there is no access."""
    with pytest.raises(Unauthorized):
        _converse(challenges, KNOWN)


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, Unauthorized), (403, Denied), (429, TooManyRequests), (404, UpstreamFailed), (500, UpstreamFailed)]
    + [(status, UpstreamFailed) for status in (201, 204, 301, 302, 307, 400, 503)],
)
def test_refused_by_the_token_service(status: int, error: type[RegistryError]) -> None:
    """Each refusal means what it says; a redirect is not followed."""
    with pytest.raises(error) as refusal:
        _converse([HUB_CHALLENGE], KNOWN, TokenAnswer(status, b"{}", "1000000000"))

    assert refusal.type is error
    assert refusal.value.headers == ((("Retry-After", "60"),) if status == 429 else ())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"null",
        b"[]",
        b"1",
        b'"token"',
        b"{}",
        b'{"token":""}',
        b'{"token":null}',
        b'{"token":1}',
        b'{"token":["a"]}',
        b'{"token":"a b"}',
        b'{"token":"a\\r\\nX: y"}',
        b'{"token":"a\\u0000"}',
        b'{"token":"\xc3\xa4"}',
        b"\xff\xfe",
        b"[" * 60_000,
        b'{"token":"abc","expires_in":' + b"9" * 50_000 + b"}",
    ],
)
def test_no_token(body: bytes) -> None:
    """What holds no token that a header could hold is of no use."""
    with pytest.raises(UpstreamFailed):
        _converse([HUB_CHALLENGE], ANONYMOUS, TokenAnswer(200, body))


def test_access_token() -> None:
    """OAuth 2's name for a token counts too, after the usual one."""
    for body in (
        b'{"access_token":"abc"}',
        b'{"access_token":"other","token":"abc"}',
        b'{"token":"","access_token":"abc"}',
    ):
        assert _converse([HUB_CHALLENGE], ANONYMOUS, TokenAnswer(200, body))[1].value == "Bearer abc"


@pytest.mark.parametrize(
    ("expires_in", "lifetime"),
    [
        (300, 290),
        (3600, 3590),
        (60, 50),
        (59, 50),
        (0, 50),
        (-1, 50),
        (10**12, 3590),
        ("300", 50),
        ("never", 50),
        (300.5, 50),
        (True, 50),
        (None, 50),
        ([], 50),
    ],
)
def test_lifetime(expires_in: object, lifetime: float) -> None:
    """A token lives between a minute and an hour, less a margin, whatever is said."""
    body = json.dumps({"token": "abc", "expires_in": expires_in}).encode()

    assert _converse([HUB_CHALLENGE], ANONYMOUS, TokenAnswer(200, body))[1].lifetime == lifetime


@given(st.binary(max_size=300), st.integers(100, 599), st.none() | st.text())
def test_total(body: bytes, status: int, retry_after: str | None) -> None:
    """Any answer gives a header of bounded life or one of the refusals."""
    try:
        _, authorization = _converse([HUB_CHALLENGE], KNOWN, TokenAnswer(status, body, retry_after))
    except (Unauthorized, Denied, TooManyRequests, UpstreamFailed):
        return
    assert authorization.lifetime is not None
    assert 50 <= authorization.lifetime <= 3590


def test_secrets_are_not_shown() -> None:
    """Nothing of the conversation shows a password or token when printed."""
    asked, authorization = _converse([HUB_CHALLENGE], KNOWN, TOKEN)
    shown = f"{asked!r} {authorization!r} {TOKEN!r} {KNOWN!r} {ACCOUNT} {KNOWN.key([HUB_CHALLENGE])!r}"

    assert PASSWORD not in shown
    assert BASIC.removeprefix("Basic ") not in shown
    assert "abc" not in shown


def test_keys_part_what_must_not_be_shared() -> None:
    """Another upstream, service, repository or account is another key; another realm or scope asked for is not."""
    key = KNOWN.key([HUB_CHALLENGE])
    others = [
        Applicant(Address.parse("https://ghcr.io"), NAME, ACCOUNT).key([HUB_CHALLENGE]),
        KNOWN.key([bearer("https://auth.docker.io/token", "other")]),
        Applicant(HUB, RepositoryName.parse("library/alpine"), ACCOUNT).key([HUB_CHALLENGE]),
        Applicant(HUB, NAME, Credentials("other", PASSWORD)).key([HUB_CHALLENGE]),
        ANONYMOUS.key([HUB_CHALLENGE]),
    ]

    assert len({key, *others}) == 6
    assert key == KNOWN.key([bearer("https://auth.docker.io/elsewhere", "registry.docker.io", "x")])


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def _key(number: int = 0) -> TokenKey:
    return TokenKey("https://h", "service", f"repository:{number}:pull", "")


def test_cached_until_it_expires() -> None:
    """What was put is found until its lifetime, counted from the question, is over."""
    clock = Clock()
    cache = TokenCache(clock)
    cache.put(_key(), Authorization("Bearer abc", 50), asked_at=990.0)
    clock.now = 1039.9

    assert cache.get(_key()) == Authorization("Bearer abc", 50)
    clock.now = 1040.0
    assert cache.get(_key()) is None
    assert cache.get(_key(1)) is None


def test_without_a_lifetime_it_stays() -> None:
    """What has no lifetime is kept until it is forgotten."""
    clock = Clock()
    cache = TokenCache(clock)
    cache.put(_key(), Authorization("Basic abc"), asked_at=0.0)
    clock.now = 1e12

    assert cache.get(_key()) is not None
    cache.forget(_key())
    assert cache.get(_key()) is None


def test_forgotten_only_if_it_is_still_that() -> None:
    """Who finds a token refused does not drop the one that somebody else has fetched since."""
    cache = TokenCache(Clock())
    cache.put(_key(), Authorization("Bearer new", 50), asked_at=1000.0)
    cache.forget(_key(), "Bearer old")

    assert cache.get(_key()) is not None
    cache.forget(_key(), "Bearer new")
    assert cache.get(_key()) is None


def test_bounded() -> None:
    """Beyond its capacity the cache drops what was not used for longest."""
    cache = TokenCache(Clock(), capacity=3)
    for number in range(3):
        cache.put(_key(number), Authorization(f"Bearer {number}", 50), asked_at=1000.0)
    cache.get(_key(0))
    cache.put(_key(3), Authorization("Bearer 3", 50), asked_at=1000.0)

    assert [number for number in range(4) if cache.get(_key(number))] == [0, 2, 3]
