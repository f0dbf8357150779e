"""Puts questions to one upstream: who asks gets a slot, a deadline, and the answer that counts.

Metadata and blobs have connections and slots of their own, so that a tag never waits for a layer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from pyreqwest.http import Url

from entrepot.oci.errors import RegistryError
from entrepot.oci.names import RepositoryName
from entrepot.upstream.addresses import Address
from entrepot.upstream.authorization import Authorizer
from entrepot.upstream.base import CredentialSource
from entrepot.upstream.exchange import Exchange
from entrepot.upstream.limits import Limits
from entrepot.upstream.message import Head, Request
from entrepot.upstream.reply import Reply
from entrepot.upstream.retries import Retries
from entrepot.upstream.route import Route
from entrepot.upstream.slots import Slots
from entrepot.upstream.tokens import TOKEN_ANSWER_LIMIT, TokenAnswer, TokenRequest
from entrepot.upstream.transport import Transport
from entrepot.upstream.vicinity import Vicinity
from entrepot.upstream.waiting import Pace, deadline
from entrepot.upstream.watch import Watch, Watched


class Questions:
    """All that is under way with one upstream."""

    def __init__(
        self,
        address: Address,
        credentials: CredentialSource | None,
        *,
        realm_hosts: Collection[str],
        limits: Limits,
        route: Route,
        watch: Watch,
        vicinity: Vicinity,
    ) -> None:
        idle = min(limits.idle, limits.metadata)
        self._address = address
        self._limits = limits
        metadata = Transport(Pace(limits.connect, idle, limits.metadata, limits.slowest), route)
        blobs = Transport(Pace(limits.connect, limits.idle, None, limits.slowest), route)
        self._transports = metadata, blobs
        self._metadata, self._blobs = Watched(metadata, watch), Watched(blobs, watch)
        self._metadata_slots = Slots(limits.metadata_connections, limits.queue, min(limits.turn, idle))
        self._blob_slots = Slots(limits.blob_connections, limits.queue, min(limits.turn, limits.idle))
        self._authorizer = Authorizer(address, credentials, self._ask_token_service, realm_hosts=realm_hosts)
        self._exchange = Exchange(address, self._authorizer, vicinity)
        self._retries = Retries(self._exchange, watch, limits.pauses)

    def url(self, name: RepositoryName, path: str, query: Mapping[str, str] | None = None) -> Url:
        """Where the upstream has something of a repository."""
        return self._address.endpoint(f"/v2/{name}/{path}", query)

    @asynccontextmanager
    async def ask(self, method: str, name: RepositoryName, url: Url, *headers: tuple[str, str]) -> AsyncIterator[Reply]:
        """The answer to a question on metadata, whatever its status; all of it must have been read in time.

        Raises what the Exchange does, and UpstreamUnreachable when the time is over or too many ask.
        """
        async with (
            deadline(self._limits.metadata),
            self._metadata_slots.taken(),
            self._retries.ask(self._metadata, Request(method, url, headers), name) as reply,
        ):
            yield reply

    @asynccontextmanager
    async def page(self, name: RepositoryName, url: Url, absent: RegistryError) -> AsyncIterator[Reply]:
        """A GET of what is answered with 200 or not at all; raises what `refusal` makes of anything else."""
        async with self.ask("GET", name, url) as reply:
            if reply.head.status != 200:
                raise self.refusal(reply.head, absent)
            yield reply

    @asynccontextmanager
    async def download(self, name: RepositoryName, url: Url, *headers: tuple[str, str]) -> AsyncIterator[Reply]:
        """The answer to a GET of something large: only its head has to be there in time. Raises as `ask` does."""
        async with self._blob_slots.taken(), AsyncExitStack() as answer:
            async with deadline(self._limits.idle):
                asking = self._retries.ask(self._blobs, Request("GET", url, headers), name)
                reply = await answer.enter_async_context(asking)
            yield reply

    def is_own(self, head: Head) -> bool:
        """Whether the upstream itself gave the answer, not a place that it redirected to."""
        return self._exchange.is_own(head)

    def refusal(self, head: Head, absent: RegistryError) -> RegistryError:
        """What an answer without the thing that was asked for means; `absent` where it says that it is not there."""
        return self._exchange.refusal(head, absent)

    async def close(self) -> None:
        """Break off what is under way. May be called twice."""
        await self._authorizer.close()
        for transport in self._transports:
            await transport.close()

    async def _ask_token_service(self, request: TokenRequest) -> TokenAnswer:
        # Without a slot: whoever waits for the token may hold the last one.
        method = "GET" if request.form is None else "POST"
        wanted = Request(method, request.url, authorization=request.authorization, form=request.form)
        async with deadline(self._limits.metadata), self._metadata.send(wanted) as reply:
            reply.require_plain()
            return TokenAnswer(
                reply.head.status, await reply.content(TOKEN_ANSWER_LIMIT), reply.head.header("Retry-After")
            )
