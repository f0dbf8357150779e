"""Tokens that an authorization server has signed (Distribution's token specification, RFC 7519)."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import GuestProtocol, Key
from joserfc.jws import JWSRegistry

from entrepot.auth.base import REPOSITORY, Access, Grant, Presented, quoted, refusal
from entrepot.auth.keys import TrustedKeys, Untrusted
from entrepot.auth.remembered import Remembered
from entrepot.oci.errors import Unauthorized
from entrepot.telemetry import get_logger

log = get_logger(__name__)

LEEWAY = 60
"""Seconds by which two clocks may differ."""

_REMEMBERED = 300.0  # seconds
_INVALID, _INSUFFICIENT = "invalid_token", "insufficient_scope"


class _Signed(JWSRegistry):
    """Signed tokens, whose headers may bring certificates and what nobody here knows."""

    max_header_length = 64 * 1024


class Token:
    """Grants what a token says that one of the trusted keys has signed, for this service, by that issuer.

    `redirect_path` is where on the host that was asked the authorization server is, in place of `realm`; "" for none.
    """

    def __init__(
        self,
        keys: TrustedKeys,
        *,
        realm: str,
        service: str,
        issuer: str,
        algorithms: Collection[str],
        redirect_path: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._realm = realm
        self._service = service
        # It alone says which are allowed: beside it the library ignores another list.
        self._signed = _Signed(algorithms=list(algorithms), strict_check_header=False)
        self._redirect_path = redirect_path
        self._clock = clock
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(clock()),
            leeway=LEEWAY,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": service},
            exp={"essential": True},
        )
        self._remembered = Remembered(clock)

    def known(self, presented: Presented) -> Grant | None:
        if presented.authorization is None:
            return None
        return self._remembered.find(presented.authorization, None)

    async def authorize(self, presented: Presented, wanted: Sequence[Access]) -> Grant:
        grant = self.known(presented)
        if grant is None:
            grant = self._verify(presented, wanted)
        if not all(map(grant.allows, wanted)):
            raise self._refusal(presented, wanted, _INSUFFICIENT)
        return grant

    def _verify(self, presented: Presented, wanted: Sequence[Access]) -> Grant:
        scheme, _, token = (presented.authorization or "").partition(" ")
        if presented.authorization is None or scheme.lower() != "bearer" or not token:
            raise self._refusal(presented, wanted)
        try:
            decoded = self._decode(token)
            self._claims.validate(decoded.claims)
            grant = _grant_of(decoded.claims)
        except (JoseError, Untrusted, ValueError, TypeError, KeyError, AttributeError) as error:
            # The text of none of these holds a part of the token.
            log.info("token_refused", reason=type(error).__name__, client=presented.client)
            raise self._refusal(presented, wanted, _INVALID) from None
        until = min(decoded.claims["exp"] + LEEWAY, self._clock() + _REMEMBERED)
        self._remembered.keep(presented.authorization, None, grant, until)
        return grant

    def _decode(self, token: str) -> jwt.Token:
        with warnings.catch_warnings():
            # Distribution has no other name for it than EdDSA, which RFC 9864 has given up.
            warnings.simplefilter("ignore", SecurityWarning)
            return jwt.decode(token, self._key_of, registry=self._signed)

    def _key_of(self, token: GuestProtocol) -> Key:
        return self._keys.find(token.headers())

    def _refusal(self, presented: Presented, wanted: Sequence[Access], error: str = "") -> Unauthorized:
        realm = self._realm
        if self._redirect_path:
            realm = f"{presented.scheme}://{presented.host}{self._redirect_path}"
        challenge = f"Bearer realm={quoted(realm)},service={quoted(self._service)}"
        if wanted:
            challenge += f",scope={quoted(_scope_of(wanted))}"
        if error:
            challenge += f",error={quoted(error)}"
        return refusal(challenge, wanted)


def _scope_of(wanted: Sequence[Access]) -> str:
    """Each thing once, with all that is wanted of it."""
    actions: dict[tuple[str, str], list[str]] = {}
    for access in wanted:
        actions.setdefault((access.type, access.name), []).append(access.action)
    return " ".join(f"{kind}:{name}:{','.join(some)}" for (kind, name), some in actions.items())


def _grant_of(claims: Mapping[str, Any]) -> Grant:
    """Raises what comes of it where `access` is none: ValueError, TypeError, KeyError, AttributeError."""
    resources: dict[tuple[str, str], frozenset[str]] = {}
    classes: dict[str, frozenset[str]] = {}
    for entry in claims.get("access") or ():
        kind, name, actions = entry["type"], entry["name"], entry.get("actions") or []
        if not (isinstance(kind, str) and isinstance(name, str) and isinstance(actions, list)):
            raise TypeError("access is malformed")
        kind, found = _split(kind, entry.get("class") or "")
        key = kind, name
        resources[key] = resources.get(key, frozenset()) | frozenset(map(str, actions))
        if kind == REPOSITORY:
            classes[name] = classes.get(name, frozenset()) | {found or "image"}
    return Grant(str(claims.get("sub") or ""), resources, classes)


def _split(kind: str, given: str) -> tuple[str, str]:
    """A type may carry the class of its content: `repository(plugin)`."""
    kind, bracket, rest = kind.partition("(")
    return kind, (rest.removesuffix(")") if bracket else given)
