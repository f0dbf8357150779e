"""Several upstreams with the same content as one: each is asked where those before it can not answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar

from entrepot.oci.descriptor import Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.errors import RegistryError, TooManyRequests, UpstreamFailed
from entrepot.oci.names import RepositoryName, Tag
from entrepot.registry import Page
from entrepot.upstream.base import ABSENT, Download, Fetched, Upstream

T = TypeVar("T")


class Failover:
    """An Upstream of several, tried in their order. Owns them.

    The next one is asked when one is unreachable, fails or has been asked too often: not when it refuses credentials,
    nor when it says that there is no such thing. That a later one has it not says nothing, as long as an earlier one
    might have it: then what made that one fail is raised, so that nothing is taken for gone that may only be elsewhere.
    """

    def __init__(self, upstreams: Sequence[Upstream]) -> None:
        """Raises ValueError where there are none."""
        if not upstreams:
            raise ValueError("at least one upstream is needed")
        self._upstreams = tuple(upstreams)

    async def resolve(self, name: RepositoryName, tag: Tag) -> Digest:
        return await self._first(lambda upstream: upstream.resolve(name, tag))

    async def manifest(self, name: RepositoryName, reference: Tag | Digest) -> Fetched:
        return await self._first(lambda upstream: upstream.manifest(name, reference))

    async def stat_blob(self, name: RepositoryName, digest: Digest) -> int:
        return await self._first(lambda upstream: upstream.stat_blob(name, digest))

    @asynccontextmanager
    async def blob(self, name: RepositoryName, digest: Digest, start: int = 0) -> AsyncIterator[Download]:
        """As an Upstream's; one that breaks off in the middle is not replaced: going on is for the reader to decide."""
        async with AsyncExitStack() as opened:
            yield await self._first(lambda upstream: opened.enter_async_context(upstream.blob(name, digest, start)))

    async def tags(self, name: RepositoryName, after: str, limit: int | None) -> Page[str]:
        return await self._first(lambda upstream: upstream.tags(name, after, limit))

    async def referrers(self, name: RepositoryName, digest: Digest, artifact_type: str | None) -> Sequence[Descriptor]:
        return await self._first(lambda upstream: upstream.referrers(name, digest, artifact_type))

    async def close(self) -> None:
        for upstream in self._upstreams:
            await upstream.close()

    async def _first(self, ask: Callable[[Upstream], Awaitable[T]]) -> T:
        failure: RegistryError | None = None
        for upstream in self._upstreams:
            try:
                return await ask(upstream)
            except (UpstreamFailed, TooManyRequests) as error:
                failure = failure or error
            except ABSENT:
                if failure is None:
                    raise
        raise failure or UpstreamFailed("there is none")
