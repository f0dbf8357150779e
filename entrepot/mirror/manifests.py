"""Manifests by digest: the cache first, then one question to the upstream, whoever else wants the same.

What is named by digest is verified and never asked for again. Must not know tags or blobs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from entrepot.content import Manifest
from entrepot.driver import NoSpace, PathInvalid
from entrepot.ledger import Ledger
from entrepot.mirror.absences import Absences
from entrepot.mirror.exclusive import exclusive
from entrepot.mirror.joining import Joining
from entrepot.mirror.namespaces import Namespaces
from entrepot.oci.digest import Digest
from entrepot.oci.errors import ManifestInvalid, ManifestUnknown, NameUnknown, UpstreamFailed
from entrepot.oci.manifest import parse
from entrepot.oci.names import RepositoryName
from entrepot.registry import Cache, Outcome
from entrepot.telemetry import Meter, get_logger

log = get_logger(__name__)


class ManifestFetches:
    """Manifests of all repositories of a mirror, in one worker."""

    def __init__(self, cache: Cache, namespaces: Namespaces, ledger: Ledger, meter: Meter, absences: Absences) -> None:
        self._cache = cache
        self._namespaces = namespaces
        self._ledger = ledger
        self._meter = meter
        self._absences = absences
        self._asked: Joining[tuple[RepositoryName, Digest], tuple[Manifest, Outcome]] = Joining()

    async def get(self, name: RepositoryName, digest: Digest) -> tuple[Manifest, Outcome]:
        """Raises ManifestUnknown where the upstream says so, and what else it may raise."""
        cached = await self._cached(name, digest)
        if cached is not None:
            self._ledger.used(name, digest)
            return cached, Outcome.HIT
        if self._absences.holds(name, digest):
            raise ManifestUnknown(f"unknown manifest name={name} revision={digest}")
        task, joined = self._asked.ask((name, digest), lambda: self._fetch(name, digest))
        manifest, outcome = await asyncio.shield(task)
        return manifest, Outcome.JOINED if joined else outcome

    async def _cached(self, name: RepositoryName, digest: Digest) -> Manifest | None:
        try:
            return await self._cache.reader(name).manifest(digest)
        except ManifestUnknown:
            return None

    async def _fetch(self, name: RepositoryName, digest: Digest) -> tuple[Manifest, Outcome]:
        async with exclusive(self._cache.turn_path(digest)) as waited:
            cached = await self._cached(name, digest) if waited else None
            if cached is not None:
                return cached, Outcome.JOINED
            try:
                manifest = await self._ask(name, digest)
            except (ManifestUnknown, NameUnknown):
                self._absences.note(name, digest)
                raise ManifestUnknown(f"unknown manifest name={name} revision={digest}") from None
            if await self.keep(name, self._cache.store_manifest(name, manifest)):
                self._ledger.kept_manifest(name, manifest)
        return manifest, Outcome.MISS

    async def _ask(self, name: RepositoryName, digest: Digest) -> Manifest:
        source = self._namespaces.source(name)
        fetched = await source.upstream.manifest(self._namespaces.remote(name), digest)
        self._meter.fetched(source.label, len(fetched.content))
        try:
            return Manifest(digest, fetched.content, await asyncio.to_thread(parse, fetched.content, None))
        except ManifestInvalid as error:
            raise UpstreamFailed(f"the upstream's manifest is not valid: {error.detail}") from None

    async def keep(self, name: RepositoryName, storing: Awaitable[None]) -> bool:
        """Whether it could be stored: a store that is full or broken must not keep anybody from pulling."""
        try:
            await storing
        except (OSError, NoSpace, PathInvalid) as error:
            log.error("not_cached", repository=name, error=str(error))
            return False
        return True
