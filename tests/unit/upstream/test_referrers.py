"""Referrers where the upstream has no API for them: under the tag that stands for it."""

import json

import pytest

from entrepot.oci.descriptor import OCI_INDEX, OCI_MANIFEST
from entrepot.oci.digest import Digest
from entrepot.oci.errors import Denied, RegistryError, TooManyRequests, UpstreamFailed
from entrepot.testing import images
from entrepot.testing.faults import Fault, body, status
from entrepot.testing.upstreams import TestUpstream
from entrepot.upstream.referrers import fallback_tag
from tests.unit.upstream.conftest import NAME, TAG, Connect

SBOM, SIGNATURE = "application/x.sbom", "application/x.signature"


def _listed(upstream: TestUpstream, subject: Digest) -> list[str]:
    """Put an index of two referrers under the fallback tag; answer their digests."""
    entries = [
        {"mediaType": OCI_MANIFEST, "digest": Digest.of(kind.encode()), "size": 10, "artifactType": kind}
        for kind in (SBOM, SIGNATURE)
    ]
    content = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()
    upstream.add_manifest(NAME, content, OCI_INDEX, fallback_tag(subject))
    return [str(entry["digest"]) for entry in entries]


@pytest.mark.parametrize("code", [404, 405, 501])
async def test_by_tag(upstream: TestUpstream, connect: Connect, code: int) -> None:
    """Where the API is not there the tag's index is read, and filtered here."""
    subject = upstream.add_image(NAME, TAG, images.image())
    listed = _listed(upstream, subject)
    upstream.misbehave(status(code), path="/referrers/")
    client = connect()

    assert [one.digest for one in await client.referrers(NAME, subject, None)] == listed
    assert [one.digest for one in await client.referrers(NAME, subject, SIGNATURE)] == listed[1:]
    assert await client.referrers(NAME, subject, "application/x.other") == []


async def test_none(upstream: TestUpstream, connect: Connect) -> None:
    """Without API and tag there are no referrers, and that costs no GET of a manifest."""
    upstream.has_referrers = False

    assert await connect().referrers(NAME, Digest.of(b"any"), None) == []
    assert upstream.count("GET", "/manifests/") == 0


async def test_the_api_counts(upstream: TestUpstream, connect: Connect) -> None:
    """Where the API answers, the tag is not looked for."""
    subject = upstream.add_image(NAME, TAG, images.image())
    _listed(upstream, subject)

    assert await connect().referrers(NAME, subject, None) == []
    assert upstream.count(path="/manifests/") == 0


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (status(429), TooManyRequests),
        (status(403), Denied),
        (status(500), UpstreamFailed),
        (body(b"<html>"), UpstreamFailed),
    ],
)
async def test_not_known(upstream: TestUpstream, connect: Connect, fault: Fault, error: type[RegistryError]) -> None:
    """A tag that can not be read is no empty list."""
    subject = upstream.add_image(NAME, TAG, images.image())
    _listed(upstream, subject)
    upstream.has_referrers = False
    upstream.misbehave(fault, path="/manifests/")
    with pytest.raises(error):
        await connect().referrers(NAME, subject, None)


async def test_an_image_under_that_tag(upstream: TestUpstream, connect: Connect) -> None:
    """What is under the tag must be an index."""
    subject = upstream.add_image(NAME, TAG, images.image())
    upstream.add_manifest(NAME, b'{"schemaVersion":2}', OCI_MANIFEST, fallback_tag(subject))
    upstream.has_referrers = False
    with pytest.raises(UpstreamFailed, match="no index"):
        await connect().referrers(NAME, subject, None)


def test_the_tag() -> None:
    """Algorithm and hash, joined by a hyphen and never longer than the schema allows."""
    assert fallback_tag(Digest.of(b"x")) == f"sha256-{Digest.of(b'x').encoded}"
    assert fallback_tag(Digest.of(b"x", "sha512")) == f"sha512-{Digest.of(b'x', 'sha512').encoded[:64]}"
