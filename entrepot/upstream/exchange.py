"""One question to the upstream, through challenges and redirects to the answer that counts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from entrepot.oci.errors import (
    Denied,
    RegistryError,
    TooManyRequests,
    Unauthorized,
    UpstreamFailed,
)
from entrepot.oci.names import RepositoryName
from entrepot.upstream.addresses import Address
from entrepot.upstream.authorization import Authorizer
from entrepot.upstream.headers import parse_wait
from entrepot.upstream.message import Head, Request
from entrepot.upstream.redirects import HOP_LIMIT, is_redirect, next_request
from entrepot.upstream.reply import Reply
from entrepot.upstream.transport import Sender
from entrepot.upstream.vicinity import Vicinity
from entrepot.wire.challenge import Challenge

ROUND_LIMIT = 2
"""How often one question may be repeated with new credentials."""


class Exchange:
    """Asks one upstream; whoever asks says by which sender."""

    def __init__(self, address: Address, authorizer: Authorizer, vicinity: Vicinity) -> None:
        self._address = address
        self._authorizer = authorizer
        self._vicinity = vicinity

    @asynccontextmanager
    async def ask(self, sender: Sender, request: Request, name: RepositoryName) -> AsyncIterator[Reply]:
        """The answer to `request`, with credentials to read `name` if the upstream wants some. Any status.

        Raises UpstreamFailed, UpstreamUnreachable, and what a token service's refusal means (tokens.authorize).
        """
        # A list may go on where a redirect has led: credentials are for the upstream alone, whoever is asked first.
        is_own = request.url.origin_ascii == self._address.origin
        header = await self._authorizer.known(name) if is_own else None
        answered: tuple[Challenge, ...] = ()
        for rounds_left in reversed(range(ROUND_LIMIT + 1)):
            async with AsyncExitStack() as hops:
                reply = await self._follow(hops, sender, request.authorized(header if is_own else None))
                challenges = reply.head.challenges
                if rounds_left == 0 or not self._is_refused(reply.head, header) or _same(challenges, answered):
                    yield reply
                    return
            renewed = await self._authorizer.renew(name, challenges, refused=header)
            if renewed == header:
                raise self.refusal(reply.head, UpstreamFailed())
            header, answered = renewed, challenges

    async def _follow(self, hops: AsyncExitStack, sender: Sender, request: Request) -> Reply:
        for _ in range(HOP_LIMIT + 1):
            reply = await hops.enter_async_context(sender.send(request))
            if not is_redirect(reply.head):
                return reply
            request = next_request(request, reply.head, self._address)
            await self._vicinity.check(request.url)
            await hops.aclose()
        raise UpstreamFailed(f"the upstream redirects more than {HOP_LIMIT} times")

    def _is_refused(self, head: Head, header: str | None) -> bool:
        # A challenge from where a redirect led is none of ours: our credentials are for the upstream alone.
        # ECR answers 403 to a password that has expired; newer ones may be had.
        is_password = header is not None and header.startswith("Basic ")
        return self.is_own(head) and (head.status == 401 or (head.status == 403 and is_password))

    def is_own(self, head: Head) -> bool:
        """Whether the upstream itself gave the answer, not a place that it redirected to."""
        return head.url.origin_ascii == self._address.origin

    def refusal(self, head: Head, absent: RegistryError) -> RegistryError:
        """What an answer without the thing that was asked for means; `absent` where the upstream says it is not there.

        Headers of the upstream are not passed on, but for a Retry-After that makes sense: its challenges are not ours.
        """
        match head.status:
            case 404 | 410:
                return absent
            case 429:
                wait = str(parse_wait(head.header("Retry-After")))
                return TooManyRequests("the upstream is asked too often", headers=[("Retry-After", wait)])
            case 401 if self.is_own(head):
                return Unauthorized("the upstream grants this mirror no access")
            case 403 if self.is_own(head):
                return Denied("the upstream grants this mirror no access")
            case 508 if self.is_own(head):
                return UpstreamFailed("the upstream leads back to this mirror, or to itself: look at its remoteurl")
        return UpstreamFailed(f"the upstream answered {head.status}")


def _same(challenges: Sequence[Challenge], answered: Sequence[Challenge]) -> bool:
    """Whether credentials made for the very same challenges were just refused; a further round would bring no better.

    `error` and `scope` may differ: they tell what was wrong, not whom to ask.
    """
    return bool(answered) and _askable(challenges) == _askable(answered)


def _askable(challenges: Sequence[Challenge]) -> list[tuple[str, str | None, str | None]]:
    return [(one.scheme, one.parameters.get("realm"), one.parameters.get("service")) for one in challenges]
