"""Challenge → Authorization header: the token flow as a conversation, and the cache of what it brought. No I/O.

`authorize` yields what it wants to ask the token service and is sent the answer; authorization.py does the asking.
"""

from __future__ import annotations

import base64
import json
from collections import OrderedDict
from collections.abc import Callable, Collection, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from pyreqwest.http import Url

from entrepot.oci.errors import Denied, RegistryError, TooManyRequests, Unauthorized, UpstreamFailed
from entrepot.oci.names import RepositoryName
from entrepot.upstream.addresses import Address
from entrepot.upstream.base import Credentials
from entrepot.upstream.headers import parse_wait
from entrepot.upstream.realms import trusted_realm
from entrepot.wire.challenge import Challenge

TOKEN_ANSWER_LIMIT = 64 * 1024
SHORTEST_LIFETIME = 60.0
LONGEST_LIFETIME = 3600.0
MARGIN = 10.0
"""Seconds: a token is not used in the last of them, so that it does not expire under way."""

_CLIENT = "entrepot"


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A GET to a token service, or a POST of `form`.

    No redirect may be followed, and no more than TOKEN_ANSWER_LIMIT bytes read.
    """

    url: Url
    authorization: str | None = field(repr=False)
    form: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """What the token service said."""

    status: int
    body: bytes = field(repr=False)
    retry_after: str | None = None


@dataclass(frozen=True, slots=True)
class Authorization:
    """A header value for the upstream's own origin, and for how many seconds; None means as long as it is taken."""

    value: str = field(repr=False)
    lifetime: float | None = None


@dataclass(frozen=True, slots=True)
class TokenKey:
    """What a token is good for, and who it was given to: shared by no other upstream, repository or account."""

    upstream: str
    service: str
    scope: str
    identity: str


@dataclass(frozen=True, slots=True)
class Applicant:
    """Who asks: the upstream, the repository to read, the account, and further hosts trusted with its password."""

    address: Address
    name: RepositoryName
    credentials: Credentials | None
    realm_hosts: Collection[str] = ()

    @property
    def scope(self) -> str:
        """Always our own: GHCR sends a placeholder in its challenge, and asking it for more than pull is denied."""
        return f"repository:{self.name}:pull"

    def key(self, challenges: Sequence[Challenge]) -> TokenKey:
        """Under which the answer to `challenges` is kept."""
        bearer = _first(challenges, "bearer")
        service = bearer.parameters.get("service", "") if bearer else ""
        return TokenKey(self.address.origin, service, self.scope, self._identity)

    @property
    def password(self) -> str | None:
        """The header of Basic authentication (RFC 7617); None where there is no password."""
        credentials = self.credentials
        if credentials is None or credentials.identity_token:
            return None
        pair = f"{credentials.username}:{credentials.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"

    @property
    def _identity(self) -> str:
        if self.credentials is None:
            return ""
        return "<token>" if self.credentials.identity_token else self.credentials.username


def authorize(
    challenges: Sequence[Challenge], applicant: Applicant
) -> Generator[TokenRequest, TokenAnswer, Authorization]:
    """The conversation that answers `challenges`, Bearer before Basic.

    Raises what the upstream's refusal means to a mirror's client: Unauthorized, Denied, TooManyRequests, or
    UpstreamFailed where the challenge or the token service is of no use.
    """
    bearer, basic = _first(challenges, "bearer"), _first(challenges, "basic")
    password = applicant.password
    if bearer is not None:
        answer = yield _question(bearer, applicant)
        if answer.status == 200:
            return _read_token(answer.body)
        if not (answer.status in (401, 403) and basic and password):
            raise _refusal(answer)
    if basic is not None and password is not None:
        return Authorization(password)
    raise Unauthorized("the upstream wants credentials that this mirror does not have")


def _first(challenges: Sequence[Challenge], scheme: str) -> Challenge | None:
    return next((challenge for challenge in challenges if challenge.scheme == scheme), None)


def _question(challenge: Challenge, applicant: Applicant) -> TokenRequest:
    realm = trusted_realm(challenge.parameters.get("realm", ""), applicant.address, applicant.realm_hosts)
    query = {"service": challenge.parameters.get("service", ""), "scope": applicant.scope}
    credentials = applicant.credentials
    if credentials is not None and credentials.identity_token:
        # "OAuth2 Token Authentication" of the token specification: such a token is never sent in a URL.
        grant = {"grant_type": "refresh_token", "client_id": _CLIENT, "refresh_token": credentials.identity_token}
        return TokenRequest(realm, None, urlencode(grant | query).encode())
    if credentials is not None:
        query["account"] = credentials.username
    url = realm.extend_query({key: value for key, value in query.items() if value})
    return TokenRequest(url, applicant.password)


def _read_token(body: bytes) -> Authorization:
    members = _read_object(body)
    token = members.get("token") or members.get("access_token")
    if not isinstance(token, str) or not (token.isascii() and token.isprintable()) or " " in token:
        raise UpstreamFailed("the upstream's token service sent no token")
    lifetime = members.get("expires_in")
    if type(lifetime) is not int:
        lifetime = SHORTEST_LIFETIME  # what the token specification says of an answer without it
    return Authorization(f"Bearer {token}", min(max(lifetime, SHORTEST_LIFETIME), LONGEST_LIFETIME) - MARGIN)


def _read_object(body: bytes) -> dict[str, Any]:
    try:
        members = json.loads(body)
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, dict):
        raise UpstreamFailed("the upstream's token service sent no JSON object")
    return members


def _refusal(answer: TokenAnswer) -> RegistryError:
    match answer.status:
        case 401:
            return Unauthorized("the upstream's token service does not take the mirror's credentials")
        case 403:
            return Denied("the upstream's token service grants no access")
        case 429:
            return TooManyRequests(
                "the upstream's token service is asked too often",
                headers=[("Retry-After", str(parse_wait(answer.retry_after)))],
            )
    return UpstreamFailed(f"the upstream's token service answered {answer.status}")


class TokenCache:
    """Authorizations until shortly before they expire, the least recently used dropped beyond `capacity`."""

    def __init__(self, clock: Callable[[], float], capacity: int = 1024) -> None:
        self._clock = clock
        self._capacity = capacity
        self._entries: OrderedDict[TokenKey, tuple[Authorization, float | None]] = OrderedDict()

    def get(self, key: TokenKey) -> Authorization | None:
        """What was put there, unless its time is over."""
        authorization, expires_at = self._entries.get(key, (None, None))
        if expires_at is not None and self._clock() >= expires_at:
            self.forget(key)
            return None
        if authorization is not None:
            self._entries.move_to_end(key)
        return authorization

    def put(self, key: TokenKey, authorization: Authorization, asked_at: float) -> None:
        """Keep it for its lifetime, counted from when it was asked for."""
        lifetime = authorization.lifetime
        self._entries[key] = (authorization, None if lifetime is None else asked_at + lifetime)
        self._entries.move_to_end(key)
        while len(self._entries) > self._capacity:
            self._entries.popitem(last=False)

    def forget(self, key: TokenKey, value: str | None = None) -> None:
        """Drop what is there; where `value` is given, only if it is that."""
        entry = self._entries.get(key)
        if entry is not None and value in (None, entry[0].value):
            del self._entries[key]
