"""What refers to a manifest of an upstream: by its referrers API, or by the tag that stands for it where there is none.

Docker Hub, GHCR and registry.k8s.io answer 404 to the API (distribution-spec "Unavailable Referrers API").
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from pyreqwest.http import Url

from entrepot.oci.descriptor import OCI_INDEX, Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.errors import ManifestInvalid, ManifestUnknown, Unsupported, UpstreamFailed
from entrepot.oci.manifest import parse
from entrepot.oci.names import RepositoryName, Tag
from entrepot.upstream.listings import walk
from entrepot.upstream.manifests import fetch_manifest, resolve
from entrepot.upstream.questions import Questions
from entrepot.upstream.reply import Reply

# 404 by the specification; the others are older registries' ways to say that they do not know the path.
_NO_API = frozenset({400, 404, 405, 406, 410, 501})
_NOT_IN_TAGS = re.compile(r"[^A-Za-z0-9._-]")


async def list_referrers(
    questions: Questions, name: RepositoryName, digest: Digest, artifact_type: str | None
) -> Sequence[Descriptor]:
    """As an Upstream's `referrers`; how long all pages may take is for the caller to say."""
    query = {"artifactType": artifact_type} if artifact_type else {}
    found: list[Descriptor] = []

    def take(content: bytes) -> bool:
        found.extend(_entries(content))
        return False

    first = questions.url(name, f"referrers/{digest}", query)
    try:
        await walk(lambda url: _page(questions, name, url), first, take)
    except Unsupported:
        found.extend(await _by_tag(questions, name, digest))
    # The filter is the upstream's to apply or to ignore.
    return [one for one in found if artifact_type is None or one.artifact_type == artifact_type]


@asynccontextmanager
async def _page(questions: Questions, name: RepositoryName, url: Url) -> AsyncIterator[Reply]:
    async with questions.ask("GET", name, url) as reply:
        if reply.head.status in _NO_API:
            raise Unsupported
        if reply.head.status != 200:
            raise questions.refusal(reply.head, Unsupported())
        yield reply


async def _by_tag(questions: Questions, name: RepositoryName, digest: Digest) -> Sequence[Descriptor]:
    try:
        # Mostly there is none, and where GETs of manifests are counted, HEAD is not.
        listed = await resolve(questions, name, fallback_tag(digest))
        return _entries((await fetch_manifest(questions, name, listed)).content)
    except ManifestUnknown:
        return []


def fallback_tag(digest: Digest) -> Tag:
    """The tag under which an index of a manifest's referrers is kept (distribution-spec "Referrers Tag Schema")."""
    algorithm, _, encoded = digest.partition(":")
    return Tag.parse(_NOT_IN_TAGS.sub("-", f"{algorithm[:32]}-{encoded[:64]}"))


def _entries(content: bytes) -> Sequence[Descriptor]:
    try:
        return parse(content, OCI_INDEX).manifests
    except ManifestInvalid as error:
        raise UpstreamFailed(f"the upstream's list of referrers is no index: {error.detail}") from None
