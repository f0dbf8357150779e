"""What a manifest must satisfy before a repository takes it: its references are here, its URLs and class allowed."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from entrepot.oci.descriptor import (
    DOCKER_IMAGE_CONFIG,
    DOCKER_PLUGIN_CONFIG,
    IMAGE_TYPES,
    OCI_IMAGE_CONFIG,
    SCHEMA1,
    Descriptor,
    is_foreign,
)
from entrepot.oci.errors import BlobUnknown, Denied, Errors, ManifestBlobUnknown, ManifestInvalid, RegistryError
from entrepot.oci.manifest import SCHEMA1_REFUSED, Parsed, references
from entrepot.oci.names import RepositoryName
from entrepot.storage.blobs import BlobStore
from entrepot.storage.manifests import Manifests
from entrepot.storage.turns import taking_turns

_CLASSES = {DOCKER_IMAGE_CONFIG: "image", OCI_IMAGE_CONFIG: "image", DOCKER_PLUGIN_CONFIG: "plugin"}
_LONGEST_URL = 2048


@dataclass(frozen=True, slots=True)
class Rules:
    """Distribution's `validation.manifests` and `policy.repository.classes`.

    Where `urls_checked`, a URL must match `allow`, if there is one, and must not match `deny`; without either no URL
    passes. Otherwise any http(s) URL does. No `classes` mean all of them. `platforms`, each an operating system and an
    architecture, are those whose manifests must be there when an index is pushed; None means all of an index.
    `schema1` is whether Docker's first format is taken.
    """

    urls_checked: bool = False
    allow: re.Pattern[str] | None = None
    deny: re.Pattern[str] | None = None
    classes: frozenset[str] = frozenset()
    platforms: frozenset[tuple[str, str]] | None = None
    schema1: bool = False

    def check_format(self, parsed: Parsed) -> None:
        """Raises ManifestInvalid."""
        if parsed.media_type in SCHEMA1 and not self.schema1:
            raise ManifestInvalid(SCHEMA1_REFUSED)

    def needs(self, child: Descriptor) -> bool:
        """Whether a manifest that an index names must be there."""
        return self.platforms is None or child.platform in self.platforms

    def check_class(self, parsed: Parsed, granted: Collection[str] | None = None) -> None:
        """Raises Denied; also where the client was `granted` other classes. Indexes have no class and pass."""
        if not self.classes or parsed.media_type not in IMAGE_TYPES or parsed.config is None:
            return
        kind = _CLASSES.get(parsed.config.media_type)
        if kind is None:
            raise Denied(f"unknown manifest class for {parsed.config.media_type}")
        if kind not in self.classes:
            raise Denied(f"registry does not allow {kind} manifest")
        if granted is not None and kind not in granted:
            raise Denied(f"repository not authorized for {kind} manifest")

    def allows_url(self, url: str) -> bool:
        """Whether a layer may name this URL as the place it lives at."""
        # The operator's patterns may take their time on long text.
        if len(url) > _LONGEST_URL:
            return False
        try:
            parts = urlsplit(url)
        except ValueError:
            return False
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.fragment:
            return False
        if not self.urls_checked:
            return True
        # With no list at all Distribution allows none.
        allowed = self.allow is not None and self.allow.search(url) is not None
        if self.allow is None:
            allowed = self.deny is not None
        return allowed and (self.deny is None or self.deny.search(url) is None)


_MOST_ERRORS = 100
"""Enough to see what is wrong; a manifest may lack tens of thousands of blobs."""


class References:
    """Checks that what a manifest refers to can be pulled from the same repository."""

    def __init__(self, blobs: BlobStore, manifests: Manifests, rules: Rules) -> None:
        self._blobs = blobs
        self._manifests = manifests
        self._rules = rules

    async def check(self, name: RepositoryName, parsed: Parsed) -> None:
        """Raises Errors with the first references that are not right, an entry each. The subject need not be here."""
        errors: list[RegistryError] = []
        wanted: Sequence[Descriptor] = (*references(parsed), *parsed.manifests)
        children = frozenset(map(id, parsed.manifests))
        async for descriptor in taking_turns(wanted):
            if any(not self._rules.allows_url(url) for url in descriptor.urls):
                errors.append(ManifestInvalid(f"invalid URL on layer {descriptor.digest}"))
            elif not await self._present(name, descriptor, is_child=id(descriptor) in children):
                errors.append(ManifestBlobUnknown(descriptor.digest))
            if len(errors) >= _MOST_ERRORS:
                break
        if errors:
            raise Errors(errors)

    async def _present(self, name: RepositoryName, descriptor: Descriptor, *, is_child: bool) -> bool:
        if is_child:
            return not self._rules.needs(descriptor) or await self._manifests.has(name, descriptor.digest)
        if is_foreign(descriptor):
            return True
        try:
            await self._blobs.stat(name, descriptor.digest)
        except BlobUnknown:
            return False
        return True
