"""The Authorization header for one upstream: asked for once, shared by all who wait, renewed when it is refused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Generator, Sequence

from entrepot.oci.errors import Unauthorized, UpstreamFailed
from entrepot.oci.names import RepositoryName
from entrepot.upstream.addresses import Address
from entrepot.upstream.base import CredentialSource
from entrepot.upstream.tokens import (
    Applicant,
    Authorization,
    TokenAnswer,
    TokenCache,
    TokenKey,
    TokenRequest,
    authorize,
)
from entrepot.wire.challenge import Challenge

AskTokenService = Callable[[TokenRequest], Awaitable[TokenAnswer]]


class Authorizer:
    """Finds the header for each repository; its value goes to the upstream's own origin only.

    One conversation with the token service serves everybody who waits for the same token. It belongs to nobody's
    request, so that a caller who leaves does not fail the others.
    """

    def __init__(
        self,
        address: Address,
        source: CredentialSource | None,
        ask: AskTokenService,
        *,
        realm_hosts: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = address
        self._source = source
        self._ask = ask
        self._realm_hosts = frozenset(realm_hosts)
        self._clock = clock
        self._cache = TokenCache(clock)
        self._challenges: tuple[Challenge, ...] = ()
        self._conversations: dict[TokenKey, asyncio.Task[Authorization]] = {}

    async def known(self, name: RepositoryName) -> str | None:
        """The header to begin with: by the last challenge seen, before the upstream has to repeat it; None for none.

        May raise what `renew` raises; after UpstreamFailed the challenge is forgotten: the next request begins without.
        """
        if not self._challenges:
            return None
        try:
            return await self._find(self._challenges, await self._applicant(name))
        except UpstreamFailed:
            self._challenges = ()
            raise

    async def renew(self, name: RepositoryName, challenges: Sequence[Challenge], refused: str | None) -> str:
        """The header that answers `challenges`, those of the last time where there are none, other than `refused`
        where that can be had.

        Raises Unauthorized, Denied, TooManyRequests or UpstreamFailed as `tokens.authorize` does, and what the asking
        raises.
        """
        challenges = challenges or self._challenges
        applicant = await self._applicant(name)
        if refused is not None:
            # It may be kept under the service of an earlier challenge, and would be found there again.
            self._cache.forget(applicant.key(self._challenges), refused)
            self._cache.forget(applicant.key(challenges), refused)
            if refused == applicant.password:
                self._refuse(applicant)
                applicant = await self._applicant(name)
        header = await self._find(challenges, applicant)
        self._challenges = tuple(challenges)
        return header

    async def close(self) -> None:
        """End the conversations under way; who waits for one is cancelled."""
        conversations = list(self._conversations.values())
        for conversation in conversations:
            conversation.cancel()
        await asyncio.gather(*conversations, return_exceptions=True)

    async def _applicant(self, name: RepositoryName) -> Applicant:
        credentials = await self._source.credentials(self._address.host) if self._source else None
        return Applicant(self._address, name, credentials, self._realm_hosts)

    def _refuse(self, applicant: Applicant) -> None:
        if self._source is not None and applicant.credentials is not None:
            self._source.refused(applicant.credentials)

    async def _find(self, challenges: Sequence[Challenge], applicant: Applicant) -> str:
        key = applicant.key(challenges)
        cached = self._cache.get(key)
        if cached is not None:
            return cached.value
        conversation = self._conversations.get(key)
        if conversation is None:
            conversation = asyncio.create_task(self._converse(key, challenges, applicant))
            self._conversations[key] = conversation
            conversation.add_done_callback(lambda done: self._end(key, done))
        return (await asyncio.shield(conversation)).value

    async def _converse(self, key: TokenKey, challenges: Sequence[Challenge], applicant: Applicant) -> Authorization:
        asked_at = self._clock()
        try:
            authorization = await self._ask_through(authorize(challenges, applicant))
        except Unauthorized:
            self._refuse(applicant)
            raise
        self._cache.put(key, authorization, asked_at)
        return authorization

    async def _ask_through(self, conversation: Generator[TokenRequest, TokenAnswer, Authorization]) -> Authorization:
        try:
            request = next(conversation)
            while True:
                request = conversation.send(await self._ask(request))
        except StopIteration as end:
            authorization: Authorization = end.value
            return authorization

    def _end(self, key: TokenKey, conversation: asyncio.Task[Authorization]) -> None:
        self._conversations.pop(key, None)
        if not conversation.cancelled():
            conversation.exception()  # seen, also where everybody who waited has left
