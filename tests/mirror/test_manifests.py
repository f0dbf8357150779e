"""Manifests of an upstream: fetched once, verified, kept as they are, and listed by what they refer to."""

import json
from pathlib import Path

import pytest

from entrepot.oci.digest import Digest
from entrepot.oci.errors import (
    UpstreamFailed,
)
from entrepot.oci.manifest import MANIFEST_LIMIT
from entrepot.oci.names import Tag
from entrepot.testing.faults import Fault, body, cut, header, lying_length
from entrepot.testing.images import artifact, image, image_of_size, index
from entrepot.testing.upstreams import TestUpstream
from tests.crash.layout_check import check
from tests.mirror.conftest import NAME, Start, Worker, kept

SBOM, SIGNATURE = "application/vnd.example.sbom", "application/vnd.example.signature"


async def test_a_manifest_by_digest_is_never_asked_for_twice(upstream: TestUpstream, start: Start) -> None:
    """Nor confirmed: what hashes to its digest is right for ever."""
    pushed = index()
    upstream.add_image(NAME, "latest", pushed)
    workers = [start(), start()]
    for worker in workers * 2:
        for one in pushed.in_push_order():
            stored = await worker.registry.reader(NAME).manifest(Digest.parse(one.digest))
            assert (stored.content, stored.media_type) == (one.content, one.media_type)

    assert counts(upstream) == (0, 3)
    await upstream.stop()
    for one in pushed.in_push_order():
        assert (await workers[1].registry.reader(NAME).manifest(Digest.parse(one.digest))).content == one.content


WRONG: dict[str, Fault] = {
    "other bytes": body(image(1).content),
    "cut": cut(100),
    "a length that is too large": lambda reply: cut(len(reply.body))(lying_length(len(reply.body) + 1)(reply)),
    "a page for people": lambda reply: header("Content-Type", "text/html")(body(b"<html>Please log in.</html>")(reply)),
    "nothing": body(b""),
    "too large": body(b" " * (MANIFEST_LIMIT + 1)),
}


@pytest.mark.parametrize("fault", WRONG.values(), ids=WRONG)
async def test_a_manifest_that_is_not_right_is_neither_served_nor_kept(
    upstream: TestUpstream, worker: Worker, root: Path, fault: Fault
) -> None:
    """By tag or by digest; the tag does not move to it."""
    pushed = image(1)
    upstream.add_image(NAME, "latest", pushed)
    upstream.misbehave(fault, path="/manifests/", method="GET")
    repository = worker.registry.reader(NAME)

    for ask in (repository.resolve(Tag("latest")), repository.manifest(Digest.parse(pushed.digest))):
        with pytest.raises(UpstreamFailed):
            await ask
    assert kept(root) == []

    upstream.behave()
    assert await worker.pull("latest") == pushed.content


@pytest.mark.parametrize(
    "content", [b"[]", b"no JSON", b'{"schemaVersion":1}', b'{"schemaVersion":2,"schemaVersion":2}']
)
async def test_what_is_no_manifest_is_refused_though_its_digest_is_right(
    upstream: TestUpstream, worker: Worker, root: Path, content: bytes
) -> None:
    """Nothing is kept that could not be served again."""
    digest = upstream.add_manifest(NAME, content, "application/vnd.oci.image.manifest.v1+json", "latest")

    for _ in range(2):
        with pytest.raises(UpstreamFailed, match="not valid"):
            await worker.registry.reader(NAME).manifest(digest)
        with pytest.raises(UpstreamFailed):
            await worker.pull("latest")
    assert kept(root) == []


async def test_the_largest_manifest_comes_through(upstream: TestUpstream, worker: Worker) -> None:
    """Four MiB, to the byte, and again from the cache."""
    largest = image_of_size(MANIFEST_LIMIT)
    upstream.add_image(NAME, "latest", largest)

    assert await worker.pull("latest") == largest.content
    assert await worker.pull("latest") == largest.content
    assert counts(upstream) == (2, 1)


async def test_a_mirror_keeps_manifests_of_which_it_has_no_blob(
    upstream: TestUpstream, worker: Worker, root: Path
) -> None:
    """They are fetched when somebody wants them; a link never names what is not there."""
    upstream.add_image(NAME, "latest", index())

    await worker.pull("latest")

    assert [problem for problem in check(root) if "lacks" not in problem] == []


async def test_referrers_are_those_of_the_upstream_and_of_the_cache(upstream: TestUpstream, worker: Worker) -> None:
    """Each once, in pages, filtered, whether or not the upstream answers."""
    subject = image(1)
    upstream.add_image(NAME, "latest", subject)
    made = [artifact(SBOM if number % 2 else SIGNATURE, subject=subject) for number in range(6)]
    for number, one in enumerate(made):
        upstream.add_image(NAME, f"r{number}", one)
    cached = made[:4]
    for one in cached:
        await worker.registry.reader(NAME).manifest(Digest.parse(one.digest))

    async def pages(kind: str | None, limit: int) -> list[str]:
        found: list[str] = []
        more = True
        while more:
            page = await worker.registry.reader(NAME).referrers(
                Digest.parse(subject.digest), kind, found[-1] if found else "", limit
            )
            more = page.more
            found += [one.digest for one in page.items]
        return found

    for limit in (1, 2, 5, 100):
        assert await pages(None, limit) == sorted(one.digest for one in made)
        assert await pages(SBOM, limit) == sorted(one.digest for one in made[1::2])
    await upstream.stop()
    for limit in (1, 2, 5, 100):
        assert await pages(None, limit) == sorted(one.digest for one in cached)
        assert await pages(SBOM, limit) == sorted(one.digest for one in cached[1::2])


async def test_a_manifest_without_a_media_type_is_what_its_bytes_say(upstream: TestUpstream, worker: Worker) -> None:
    """Whatever type the upstream names: the same as it will be served as from the cache."""
    content = json.dumps({"schemaVersion": 2, "manifests": []}).encode()
    digest = upstream.add_manifest(NAME, content, "application/vnd.docker.distribution.manifest.v2+json", "latest")

    types = {(await worker.registry.reader(NAME).manifest(digest)).media_type for _ in range(2)}

    assert types == {"application/vnd.oci.image.index.v1+json"}


def counts(upstream: TestUpstream) -> tuple[int, int]:
    """HEADs and GETs of manifests so far."""
    return upstream.count("HEAD", "/manifests/"), upstream.count("GET", "/manifests/")
