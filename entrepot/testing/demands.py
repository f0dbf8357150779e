"""What a test upstream wants to see before it answers: nothing, a password, or a token from its own token service."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass
from typing import Protocol

from entrepot.testing.faults import Reply
from entrepot.testing.origins import Seen
from entrepot.wire.challenge import Challenge, basic, bearer, format_challenge

TOKEN_PATH = "/token"  # noqa: S105  a path, not a secret


class Demand(Protocol):
    """Stands at the upstream's door."""

    def refusal(self, seen: Seen, url: str) -> Reply | None:
        """What to answer instead; None where the request may pass. `url` is the upstream's own."""

    def token_answer(self, seen: Seen) -> Reply | None:
        """The token service's answer; None for requests that are not for it."""


class Anonymous:
    """Wants nothing."""

    def refusal(self, seen: Seen, url: str) -> Reply | None:
        return None

    def token_answer(self, seen: Seen) -> Reply | None:
        return None


@dataclass(slots=True)
class BasicDemand:
    """Wants a name and a password."""

    username: str
    password: str

    def refusal(self, seen: Seen, url: str) -> Reply | None:
        if seen.headers.get("authorization") == basic_header(self.username, self.password):
            return None
        return _unauthorized(basic("test upstream"))

    def token_answer(self, seen: Seen) -> Reply | None:
        return None


class BearerDemand:
    """Wants a token for the repository, from `/token` on the same origin unless `path` or `realm` say otherwise.

    The token service gives one to everybody, to one account only, or to who has `identity_token` and sends it in a
    form. With `offers_basic` the challenge names Basic too, and whoever knows the account may come with it. `expire`
    ends all tokens at once, as time would.
    """

    def __init__(
        self,
        username: str | None = None,
        password: str = "",
        *,
        realm: str | None = None,
        path: str = TOKEN_PATH,
        identity_token: str | None = None,
        offers_basic: bool = False,
        service: str = "test-upstream",
        scope: str = "repository:user/image:pull",
        expires_in: object = 300,
        member: str = "token",
    ) -> None:
        self.account = None if username is None else basic_header(username, password)
        self.realm = realm
        self.path = path
        self.identity_token = identity_token
        self.offers_basic = offers_basic
        self.service = service
        self.scope = scope
        self.expires_in = expires_in
        self.member = member
        self.tokens: dict[str, str] = {}
        self.issued = 0

    def expire(self) -> None:
        """From now on take none of the tokens given so far."""
        self.tokens.clear()

    def refusal(self, seen: Seen, url: str) -> Reply | None:
        token = seen.headers.get("authorization", "").removeprefix("Bearer ")
        scope = self.tokens.get(token)
        if scope is not None and seen.path.startswith(f"/v2/{_name_in(scope)}/"):
            return None
        if self.offers_basic and seen.headers.get("authorization") == self.account:
            return None
        error = "invalid_token" if token else ""
        challenge = bearer(self.realm or url + self.path, self.service, self.scope, error)
        return _unauthorized(challenge, *([basic("test upstream")] if self.offers_basic else []))

    def token_answer(self, seen: Seen) -> Reply | None:
        if seen.path != self.path:
            return None
        if not self._knows(seen):
            return Reply(401, body=b"{}")
        token = secrets.token_urlsafe(24)
        self.tokens[token] = (seen.form if seen.method == "POST" else seen.query).get("scope", [""])[0]
        self.issued += 1
        members = {self.member: token} | ({} if self.expires_in is None else {"expires_in": self.expires_in})
        return Reply(200, (("Content-Type", "application/json"),), json.dumps(members).encode())

    def _knows(self, seen: Seen) -> bool:
        if self.identity_token is not None:
            expected = {"grant_type": ["refresh_token"], "refresh_token": [self.identity_token]}
            return seen.method == "POST" and expected.items() <= seen.form.items()
        return self.account is None or seen.headers.get("authorization") == self.account


def basic_header(username: str, password: str) -> str:
    """The Authorization header of RFC 7617."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def _name_in(scope: str) -> str:
    return scope.removeprefix("repository:").removesuffix(":pull")


def _unauthorized(*challenges: Challenge) -> Reply:
    body = b'{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}'
    offered = [("WWW-Authenticate", format_challenge(challenge)) for challenge in challenges]
    return Reply(401, (*offered, ("Content-Type", "application/json")), body)
