"""Referrers: the manifests of a repository whose `subject` a digest is (OCI distribution-spec, "Listing Referrers").

From the links that are written with each manifest, and from the fall-back tag that clients keep where a registry
without this API, such as Distribution, held the repository before.
"""

from __future__ import annotations

from entrepot.driver import Driver, PathNotFound
from entrepot.oci.descriptor import Descriptor
from entrepot.oci.digest import ENCODED_LENGTH, Digest
from entrepot.oci.errors import DigestInvalid, ManifestUnknown
from entrepot.oci.names import RepositoryName, Tag
from entrepot.registry import Page
from entrepot.storage import layout
from entrepot.storage.manifests import Manifests
from entrepot.storage.tags import Tags
from entrepot.storage.turns import taking_turns


class Referrers:
    """The referrers in all repositories of a registry."""

    def __init__(self, driver: Driver, manifests: Manifests, tags: Tags) -> None:
        self._driver = driver
        self._manifests = manifests
        self._tags = tags

    async def page(
        self, name: RepositoryName, subject: Digest, artifact_type: str | None, after: str, limit: int
    ) -> Page[Descriptor]:
        """By digest, those greater than `after`; the filter comes before the limit."""
        digests = sorted(await self._linked(name, subject) | await self._fallback(name, subject))
        found: list[Descriptor] = []
        async for digest in taking_turns(digests):
            if digest <= after:
                continue
            descriptor = await self._descriptor(name, digest, subject)
            if descriptor is None or artifact_type not in (None, descriptor.artifact_type):
                continue
            if len(found) == limit:
                return Page(found, more=True)
            found.append(descriptor)
        return Page(found, more=False)

    async def _linked(self, name: RepositoryName, subject: Digest) -> set[Digest]:
        found: set[Digest] = set()
        for algorithm in ENCODED_LENGTH:
            try:
                encoded = await self._driver.list(f"{layout.referrers(name, subject)}/{algorithm}")
            except PathNotFound:
                continue
            found.update(digest for text in encoded if (digest := _parse(f"{algorithm}:{text}")) is not None)
        return found

    async def _fallback(self, name: RepositoryName, subject: Digest) -> set[Digest]:
        # The spec cuts the encoded part to 64 characters ("Referrers Tag Schema").
        tag = Tag(f"{subject.algorithm}-{subject.encoded[:64]}")
        try:
            index = await self._manifests.get(name, await self._tags.resolve(name, tag))
        except ManifestUnknown:
            return set()
        return {descriptor.digest for descriptor in index.parsed.manifests}

    async def _descriptor(self, name: RepositoryName, digest: Digest, subject: Digest) -> Descriptor | None:
        try:
            manifest = await self._manifests.get(name, digest)
        except ManifestUnknown:
            return None
        # A fall-back tag may list anything, and two long digests may share one.
        named = manifest.parsed.subject
        return manifest.descriptor if named is not None and named.digest == subject else None


def _parse(text: str) -> Digest | None:
    try:
        return Digest.parse(text)
    except DigestInvalid:
        return None
