"""Tags of a mirror: confirmed by one HEAD where they are not fresh, and answered from the cache when nobody confirms.

An upstream that says there is no such tag is believed; one that fails, refuses or is slow is not waited for where an
answer of old exists. Must not know blobs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple

from entrepot.ledger import Ledger
from entrepot.mirror.absences import Absences
from entrepot.mirror.joining import Joining
from entrepot.mirror.manifests import ManifestFetches
from entrepot.mirror.namespaces import Namespaces
from entrepot.oci.digest import Digest
from entrepot.oci.errors import ManifestUnknown, NameUnknown, RegistryError, UpstreamFailed, UpstreamUnreachable
from entrepot.oci.names import RepositoryName, Tag
from entrepot.registry import Cache, Outcome
from entrepot.telemetry import get_logger

log = get_logger(__name__)


class _Asked(NamedTuple):
    digest: Digest
    outcome: Outcome


class TagResolver:
    """Tags of all repositories of a mirror, in one worker."""

    def __init__(
        self,
        cache: Cache,
        namespaces: Namespaces,
        ledger: Ledger,
        manifests: ManifestFetches,
        absences: Absences,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._cache = cache
        self._namespaces = namespaces
        self._ledger = ledger
        self._manifests = manifests
        self._absences = absences
        self._now = now
        self._asked: Joining[tuple[RepositoryName, Tag], _Asked] = Joining()

    async def resolve(self, name: RepositoryName, tag: Tag) -> tuple[Digest, Outcome]:
        """The digest of a manifest that is cached, or was fetched. Raises ManifestUnknown, and what an upstream may."""
        known = await self._known(name, tag)
        if known is not None and self.is_fresh(name, tag):
            return known, Outcome.HIT
        if self._absences.holds(name, tag):
            raise ManifestUnknown(f"unknown tag={tag}")
        task, joined = self._asked.ask((name, tag), lambda: self._ask(name, tag, known))
        try:
            asked = await self._answer(
                task, None if known is None else self._namespaces.source(name).freshness.deadline
            )
        except ManifestUnknown:
            raise
        except RegistryError as error:
            return self._stale(name, tag, known, error), Outcome.STALE
        return asked.digest, Outcome.JOINED if joined and asked.outcome is Outcome.MISS else asked.outcome

    def is_fresh(self, name: RepositoryName, tag: Tag) -> bool:
        """Whether the tag need not be confirmed now. May be called in any thread."""
        freshness = self._namespaces.source(name).freshness
        # Nothing to look up where nothing stays fresh, which is the default.
        return freshness.period(tag) > 0 and freshness.is_fresh(tag, self._age(name, tag))

    async def _known(self, name: RepositoryName, tag: Tag) -> Digest | None:
        try:
            return await self._cache.reader(name).resolve(tag)
        except ManifestUnknown:
            return None

    async def _answer(self, task: asyncio.Task[_Asked], deadline: float | None) -> _Asked:
        # What comes too late for this client is there for the next one: the task goes on.
        done, _ = await asyncio.wait({task}, timeout=deadline)
        if not done:
            raise UpstreamUnreachable(f"the upstream did not answer within {deadline:g} s")
        return task.result()

    async def _ask(self, name: RepositoryName, tag: Tag, known: Digest | None) -> _Asked:
        try:
            digest = await self._namespaces.source(name).upstream.resolve(self._namespaces.remote(name), tag)
        except (ManifestUnknown, NameUnknown):
            self._absences.note(name, tag)
            raise ManifestUnknown(f"unknown tag={tag}") from None
        if digest == known or await self._move(name, tag, digest):
            self._ledger.confirmed(name, tag, digest)
        return _Asked(digest, Outcome.HIT if digest == known else Outcome.MISS)

    async def _move(self, name: RepositoryName, tag: Tag, digest: Digest) -> bool:
        """Whether the tag names it here now: where nothing can be kept, the old answer must not pass for fresh."""
        # The upstream may tell and not give: Docker Hub counts GETs, not HEADs, and replicas lag behind.
        try:
            await self._manifests.get(name, digest)
        except ManifestUnknown:
            raise UpstreamFailed(f"the upstream names {digest}, but does not have it") from None
        await self._manifests.keep(name, self._cache.set_tag(name, tag, digest))
        return await self._known(name, tag) == digest

    def _stale(self, name: RepositoryName, tag: Tag, known: Digest | None, error: RegistryError) -> Digest:
        age = self._age(name, tag)
        if known is None or not self._namespaces.source(name).freshness.may_be_stale(age):
            raise error.with_traceback(None)
        log.warning("tag_unconfirmed", repository=name, tag=tag, error=str(error))
        return known

    def _age(self, name: RepositoryName, tag: Tag) -> float | None:
        confirmed_at = self._ledger.confirmed_at(name, tag)
        return None if confirmed_at is None else self._now() - confirmed_at
