"""Tags: confirmed by one HEAD, fetched when they have changed, and served of old when nobody answers."""

from pathlib import Path

import pytest

from entrepot.oci.digest import Digest
from entrepot.oci.errors import (
    Denied,
    ManifestUnknown,
    NameUnknown,
    RegistryError,
    TooManyRequests,
    Unauthorized,
    Unsupported,
    UpstreamFailed,
    UpstreamUnreachable,
)
from entrepot.oci.names import RepositoryName, Tag
from entrepot.registry import Page
from entrepot.testing.faults import Fault, cut, status
from entrepot.testing.images import DOCKER, OCI, Form, image
from entrepot.testing.upstreams import TestUpstream
from tests.mirror.conftest import NAME, Start, Worker, kept, leftovers

OUTAGES: dict[str, tuple[Fault, type[RegistryError]]] = {
    "401": (status(401), Unauthorized),
    "403": (status(403), Denied),
    "429": (status(429, Retry_After="1"), TooManyRequests),
    "500": (status(500), UpstreamFailed),
    "503": (status(503), UpstreamFailed),
    "cut": (cut(-1), UpstreamFailed),
}


def counts(upstream: TestUpstream) -> tuple[int, int]:
    """HEADs and GETs of manifests so far."""
    return upstream.count("HEAD", "/manifests/"), upstream.count("GET", "/manifests/")


@pytest.mark.parametrize("form", [OCI, DOCKER])
async def test_a_tag_costs_one_head_a_pull_and_one_get_a_change(
    upstream: TestUpstream, start: Start, form: Form, root: Path
) -> None:
    """In every worker, as soon as one has it; an unchanged tag is never fetched again."""
    old, new = image(1, form), image(1, form)
    workers = [start(), start()]
    upstream.add_image(NAME, "latest", old)

    assert await workers[0].pull("latest") == old.content
    assert counts(upstream) == (1, 1)
    for worker in workers * 2:
        assert await worker.pull("latest") == old.content
    assert counts(upstream) == (5, 1)

    upstream.add_image(NAME, "latest", new)
    for worker in workers:
        assert await worker.pull("latest") == new.content
    assert counts(upstream) == (7, 2)
    assert leftovers(root) == []


@pytest.mark.parametrize(("fault", "error"), OUTAGES.values(), ids=OUTAGES)
async def test_a_cached_tag_is_served_when_the_upstream_does_not_answer(
    upstream: TestUpstream, worker: Worker, fault: Fault, error: type[RegistryError]
) -> None:
    """Or refuses, or asks too much; one that is not cached is refused by what the upstream meant."""
    old, new = image(1), image(1)
    upstream.add_image(NAME, "latest", old)
    await worker.pull("latest")
    upstream.add_image(NAME, "latest", new)
    upstream.misbehave(fault, path="/v2/")

    for _ in range(2):
        assert await worker.pull("latest") == old.content
    with pytest.raises(error):
        await worker.pull("never")

    upstream.behave()
    await worker.pull_until("latest", new.content)


async def test_a_cached_tag_is_served_when_the_upstream_is_down(upstream: TestUpstream, start: Start) -> None:
    """Also by a worker that was started meanwhile; when the upstream is back, what it says counts again."""
    old, new = image(1), image(1)
    upstream.add_image(NAME, "latest", old)
    await start().pull("latest")
    upstream.add_image(NAME, "latest", new)
    await upstream.stop()

    worker = start()
    assert await worker.pull("latest") == old.content
    with pytest.raises(UpstreamUnreachable):
        await worker.pull("never")
    with pytest.raises(UpstreamUnreachable):
        await worker.registry.reader(NAME).manifest(Digest.parse(new.digest))

    await upstream.start()
    assert await worker.pull("latest") == new.content


@pytest.mark.parametrize("fault", [fault for fault, _ in OUTAGES.values()], ids=OUTAGES)
async def test_a_tag_that_moved_to_what_can_not_be_had_stays_where_it_was(
    upstream: TestUpstream, worker: Worker, root: Path, fault: Fault
) -> None:
    """A HEAD is answered, the GET is refused: as by Docker Hub, which counts the one and not the other."""
    old, new = image(1), image(1)
    upstream.add_image(NAME, "latest", old)
    await worker.pull("latest")
    upstream.add_image(NAME, "latest", new)
    upstream.misbehave(fault, path="/manifests/", method="GET")

    assert await worker.pull("latest") == old.content

    upstream.behave()
    await worker.pull_until("latest", new.content)
    assert leftovers(root) == []


@pytest.mark.parametrize("fault", [status(404), status(410)], ids=["404", "410"])
async def test_a_tag_that_the_upstream_has_no_more_is_gone(
    upstream: TestUpstream, worker: Worker, fault: Fault
) -> None:
    """Its word counts; the manifest is still there for who knows its digest."""
    pushed = image(1)
    upstream.add_image(NAME, "latest", pushed)
    await worker.pull("latest")
    upstream.misbehave(fault, path="/manifests/latest")

    with pytest.raises(ManifestUnknown, match="latest"):
        await worker.pull("latest")
    assert (await worker.registry.reader(NAME).manifest(Digest.parse(pushed.digest))).content == pushed.content


async def test_what_the_upstream_never_had_is_unknown(upstream: TestUpstream, worker: Worker, root: Path) -> None:
    """A tag, a digest, a repository; nothing is kept of the asking."""
    upstream.add_image(NAME, "latest", image(1))
    for name in (NAME, RepositoryName.parse("library/never")):
        repository = worker.registry.reader(name)
        with pytest.raises(ManifestUnknown):
            await repository.resolve(Tag.parse("never"))
        with pytest.raises(ManifestUnknown):
            await repository.manifest(Digest.of(b"never"))

    assert kept(root) == []


async def test_the_tag_list_is_the_upstreams_while_it_answers(upstream: TestUpstream, worker: Worker) -> None:
    """Then what is cached; an unknown repository is the upstream's word, too."""
    for tag in ("a", "b", "c"):
        upstream.add_image(NAME, tag, image(1))
    await worker.pull("b")
    repository = worker.registry.reader(NAME)

    assert await repository.tags("", None) == Page(["a", "b", "c"], more=False)
    assert await repository.tags("a", 1) == Page(["b"], more=True)

    await upstream.stop()
    assert await repository.tags("", None) == Page(["b"], more=False)
    assert await repository.tags("b", None) == Page([], more=False)
    await upstream.start()
    upstream.misbehave(status(404), path="/tags/list")
    with pytest.raises(NameUnknown):
        await repository.tags("", None)


async def test_a_mirror_takes_no_writes(worker: Worker) -> None:
    """There is nobody to write for."""
    with pytest.raises(Unsupported):
        worker.registry.writer(NAME)


async def test_a_tag_whose_new_manifest_is_not_there_yet_stays_what_it_was(
    upstream: TestUpstream, worker: Worker
) -> None:
    """F-087: the upstream tells a digest and does not have it; without a copy that is the upstream's failure."""
    old, new = image(1), image(1)
    upstream.add_image(NAME, "latest", old)
    assert await worker.pull("latest") == old.content
    for tag in ("latest", "other"):
        upstream.add_image(NAME, tag, new)
    upstream.misbehave(status(404), path=new.digest, method="GET")

    assert await worker.pull("latest") == old.content
    with pytest.raises(UpstreamFailed):
        await worker.pull("other")
