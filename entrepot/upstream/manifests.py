"""Tags and manifests of an upstream: what a tag names, and the bytes, verified."""

from __future__ import annotations

from entrepot.oci.descriptor import MANIFEST_TYPES
from entrepot.oci.digest import Digest
from entrepot.oci.errors import ManifestUnknown, UpstreamFailed
from entrepot.oci.manifest import MANIFEST_LIMIT
from entrepot.oci.names import RepositoryName, Tag
from entrepot.telemetry import get_logger
from entrepot.upstream.base import Fetched
from entrepot.upstream.headers import parse_digest, parse_media_type
from entrepot.upstream.questions import Questions

# Image types first, so that a registry with a choice gives what it holds; the rest for artifacts of any other type.
_ACCEPT = ("Accept", ", ".join((*MANIFEST_TYPES, "*/*")))

NO_HEAD = frozenset({400, 405, 501})
"""Answers that say nothing but that GET is to be used, as GitHub Enterprise's 405."""

_log = get_logger(__name__)


async def resolve(questions: Questions, name: RepositoryName, tag: Tag) -> Digest:
    """As an Upstream's."""
    async with questions.ask("HEAD", name, questions.url(name, f"manifests/{tag}"), _ACCEPT) as reply:
        digest = parse_digest(reply.head.header("Docker-Content-Digest"))
        if reply.head.status == 200 and digest is not None:
            return digest
        if reply.head.status != 200 and reply.head.status not in NO_HEAD:
            raise questions.refusal(reply.head, _unknown(name, tag))
    return (await _fetch(questions, name, tag))[1]


async def fetch_manifest(questions: Questions, name: RepositoryName, reference: Tag | Digest) -> Fetched:
    """As an Upstream's `manifest`."""
    return (await _fetch(questions, name, reference))[0]


async def _fetch(questions: Questions, name: RepositoryName, reference: Tag | Digest) -> tuple[Fetched, Digest]:
    async with questions.ask("GET", name, questions.url(name, f"manifests/{reference}"), _ACCEPT) as reply:
        if reply.head.status != 200:
            raise questions.refusal(reply.head, _unknown(name, reference))
        reply.require_plain()
        media_type = parse_media_type(reply.head.header("Content-Type"))
        claimed = parse_digest(reply.head.header("Docker-Content-Digest"))
        if media_type == "text/html":
            raise UpstreamFailed("the upstream sent a web page for a manifest")
        content = await reply.content(MANIFEST_LIMIT)
    expected = reference if isinstance(reference, Digest) else claimed
    digest = Digest.of(content) if expected is None else Digest.of(content, expected.algorithm)
    if not content or (expected is not None and digest != expected):
        _log.warning("upstream_digest_mismatch", name=name, reference=reference, digest=digest)
        raise UpstreamFailed("upstream digest mismatch")
    return Fetched(media_type, content), digest


def _unknown(name: RepositoryName, reference: Tag | Digest) -> ManifestUnknown:
    if isinstance(reference, Digest):
        return ManifestUnknown(f"unknown manifest name={name} revision={reference}")
    return ManifestUnknown(f"unknown tag={reference}")
