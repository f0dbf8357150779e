"""How an answer was come by, and what asking costs: fresh tags, slow upstreams, and many who ask at once."""

import asyncio
import os
import re

import pytest

from entrepot.mirror.freshness import Freshness, Rule
from entrepot.oci.digest import Digest
from entrepot.oci.errors import ManifestUnknown, UpstreamFailed, UpstreamUnreachable
from entrepot.oci.names import Tag
from entrepot.registry import Outcome
from entrepot.testing.faults import Gate, held, status
from entrepot.testing.images import image
from entrepot.testing.registry_contents import read_body
from entrepot.testing.upstreams import TestUpstream
from tests.mirror.conftest import NAME, Start, Worker
from tests.mirror.test_full_disk import WriteFaults, full
from tests.unit.storage.failing import Fault

MIB = 1 << 20
LATEST = Tag.parse("latest")


async def pull(worker: Worker, tag: str = "latest") -> tuple[bytes, Outcome | None]:
    """A manifest by tag, and how it was come by."""
    repository = worker.registry.reader(NAME)
    manifest = await repository.manifest(await repository.resolve(Tag.parse(tag)))
    return manifest.content, repository.outcome


async def test_a_tag_is_missed_once_and_hit_when_it_is_confirmed(upstream: TestUpstream, worker: Worker) -> None:
    """One that moved is missed again; the old manifest is a hit by its digest."""
    old, new = image(1), image(1)
    upstream.add_image(NAME, "latest", old)
    assert await pull(worker) == (old.content, Outcome.MISS)
    assert await pull(worker) == (old.content, Outcome.HIT)
    upstream.add_image(NAME, "latest", new)
    assert await pull(worker) == (new.content, Outcome.MISS)

    repository = worker.registry.reader(NAME)
    assert (await repository.manifest(Digest.parse(old.digest))).content == old.content
    assert repository.outcome is Outcome.HIT


async def test_a_fresh_tag_is_not_confirmed(upstream: TestUpstream, worker: Worker) -> None:
    """For as long as the rule that it matches says; others are confirmed each time."""
    worker.freshness = Freshness(rules=[Rule(re.compile("^v1$"), 3600.0)])
    pushed = image(1)
    for tag in ("v1", "latest"):
        upstream.add_image(NAME, tag, pushed)
        await pull(worker, tag)
    asked = upstream.count("HEAD")

    for _ in range(3):
        assert await pull(worker, "v1") == (pushed.content, Outcome.HIT)
    assert upstream.count("HEAD") == asked
    await pull(worker, "latest")
    assert upstream.count("HEAD") == asked + 1

    worker.ledger.confirmations[NAME, Tag("v1")] -= 3601
    await pull(worker, "v1")
    assert upstream.count("HEAD") == asked + 2


async def test_a_tag_that_moved_and_could_not_be_kept_is_not_fresh(upstream: TestUpstream, worker: Worker) -> None:
    """The next pull asks again, and does not get the old one."""
    worker.freshness = Freshness(3600.0)
    old, new = image(1), image(1)
    upstream.add_image(NAME, "latest", old)
    await pull(worker)
    upstream.add_image(NAME, "latest", new)
    ledger = worker.ledger
    ledger.confirmations[NAME, LATEST] -= 3601
    worker.use(WriteFaults(worker.files, Fault(full, 1, lasts=True, late=False)))

    for _ in range(2):
        assert await pull(worker) == (new.content, Outcome.MISS)


async def test_a_slow_upstream_is_waited_for_until_the_deadline(upstream: TestUpstream, worker: Worker) -> None:
    """Then the answer of old is given; what comes too late is there for the next client."""
    worker.freshness = Freshness(deadline=0.1)
    old, new = image(1), image(1)
    upstream.add_image(NAME, "latest", old)
    await pull(worker)
    upstream.add_image(NAME, "latest", new)
    upstream.misbehave(held(-1, gate := Gate()), path="/manifests/latest", times=1)

    assert await pull(worker) == (old.content, Outcome.STALE)

    gate.open()
    while (await worker.local.reader(NAME).resolve(LATEST)) != new.digest:
        await asyncio.sleep(0.001)
    # Whoever comes before the question is answered waits for the same one.
    assert await pull(worker) in [(new.content, Outcome.JOINED), (new.content, Outcome.HIT)]


async def test_an_upstream_without_a_stale_answer_is_waited_for(upstream: TestUpstream, worker: Worker) -> None:
    """The deadline is for those who can do without it."""
    worker.freshness = Freshness(deadline=0.01)
    upstream.add_image(NAME, "latest", pushed := image(1))
    upstream.misbehave(held(-1, gate := Gate()), path="/manifests/latest", times=1)

    pulling = asyncio.create_task(pull(worker))
    await gate.reached()
    await asyncio.sleep(0.1)
    gate.open()

    assert await pulling == (pushed.content, Outcome.MISS)


@pytest.mark.parametrize(("stale", "age", "served"), [(60.0, 59.0, True), (60.0, 61.0, False), (0.0, 0.0, False)])
async def test_what_is_too_old_is_not_served(
    upstream: TestUpstream, worker: Worker, stale: float, age: float, *, served: bool
) -> None:
    """Counted from when the upstream last confirmed it; by digest it is served as ever."""
    worker.freshness = Freshness(stale=stale)
    upstream.add_image(NAME, "latest", pushed := image(1))
    await pull(worker)
    worker.ledger.confirmations[NAME, LATEST] -= age
    upstream.misbehave(status(500))

    if served:
        assert await pull(worker) == (pushed.content, Outcome.STALE)
    else:
        with pytest.raises(UpstreamFailed):
            await pull(worker)
    assert (await worker.registry.reader(NAME).manifest(Digest.parse(pushed.digest))).content == pushed.content


async def test_a_tag_that_many_ask_for_is_asked_for_once(upstream: TestUpstream, worker: Worker) -> None:
    """One HEAD and one GET; those who came second have joined the first."""
    upstream.add_image(NAME, "latest", pushed := image(1))
    upstream.misbehave(held(-1, gate := Gate()), path="/manifests/latest", times=1)

    pulling = [asyncio.create_task(pull(worker)) for _ in range(20)]
    await gate.reached()
    gate.open()

    answers = await asyncio.gather(*pulling)
    assert {content for content, _ in answers} == {pushed.content}
    assert [outcome for _, outcome in answers].count(Outcome.MISS) == 1
    assert [outcome for _, outcome in answers].count(Outcome.JOINED) == 19
    assert (upstream.count("HEAD"), upstream.count("GET")) == (1, 1)


async def test_a_manifest_that_many_workers_want_is_fetched_once(upstream: TestUpstream, start: Start) -> None:
    """They take turns, and find what the first has brought."""
    pushed = image(1)
    upstream.add_image(NAME, "latest", pushed)
    upstream.misbehave(held(-1, gate := Gate()), path="/manifests/", times=1)
    repositories = [worker.registry.reader(NAME) for worker in (start(), start(), start()) for _ in range(4)]

    pulling = [asyncio.create_task(repository.manifest(Digest.parse(pushed.digest))) for repository in repositories]
    await gate.reached()
    gate.open()

    assert {manifest.content for manifest in await asyncio.gather(*pulling)} == {pushed.content}
    assert upstream.count("GET") == 1
    outcomes = [repository.outcome for repository in repositories]
    assert (outcomes.count(Outcome.MISS), outcomes.count(Outcome.JOINED)) == (1, 11)


@pytest.mark.parametrize("reference", ["latest", Digest.of(b"never")])
async def test_what_is_not_there_is_asked_for_once_in_seconds(
    upstream: TestUpstream, worker: Worker, reference: str
) -> None:
    """Clients probe for signatures with every pull; what fails otherwise is asked for again."""
    upstream.add_image(NAME, "v1", image(1))

    async def ask() -> None:
        repository = worker.registry.reader(NAME)
        await repository.manifest(
            reference if isinstance(reference, Digest) else await repository.resolve(Tag.parse(reference))
        )

    for _ in range(3):
        with pytest.raises(ManifestUnknown):
            await ask()
    assert upstream.count() == 1
    upstream.misbehave(status(500))
    for _ in range(2):
        with pytest.raises(UpstreamFailed):
            await worker.registry.reader(NAME).resolve(Tag.parse("other"))


async def test_a_cold_blob_is_missed_joined_and_hit(upstream: TestUpstream, start: Start) -> None:
    """In one worker and in another."""
    content = os.urandom(3 * MIB)
    digest = upstream.add_blob(NAME, content)
    upstream.misbehave(held(2 * MIB, gate := Gate()), path="/blobs/", times=1)
    workers = [start(), start()]
    repositories = [worker.registry.reader(NAME) for worker in (workers[0], workers[0], workers[1], workers[1])]

    blobs = [await repository.open_blob(digest) for repository in repositories]
    gate.open()
    assert await asyncio.gather(*(read_body(blob.body) for blob in blobs)) == [content] * 4

    assert [repository.outcome for repository in repositories] == [Outcome.MISS, *[Outcome.JOINED] * 3]
    for worker in workers:
        await worker.settled()
    assert upstream.count("GET") == 1
    for worker in workers:
        repository = worker.registry.reader(NAME)
        assert await read_body((await repository.open_blob(digest)).body) == content
        assert repository.outcome is Outcome.HIT


async def test_a_size_that_a_manifest_tells_is_told_before_the_upstream_answers(
    upstream: TestUpstream, worker: Worker
) -> None:
    """The client has its answer's head while the upstream thinks; then come the bytes."""
    content = os.urandom(3 * MIB)
    digest = upstream.add_blob(NAME, content)
    worker.ledger.sizes[NAME, digest] = len(content)
    upstream.misbehave(held(-1, gate := Gate()), path="/blobs/", times=1)

    blob = await worker.open(digest)
    assert blob.descriptor.size == len(content)
    gate.open()
    assert await read_body(blob.body) == content


async def test_a_size_that_turns_out_wrong_cuts_who_was_promised_it(upstream: TestUpstream, worker: Worker) -> None:
    """Those who come after get the right one."""
    content = os.urandom(3 * MIB)
    digest = upstream.add_blob(NAME, content)
    worker.ledger.sizes[NAME, digest] = len(content) - 1
    upstream.misbehave(held(-1, gate := Gate()), path="/blobs/", times=1)

    blob = await worker.open(digest)
    gate.open()

    assert len(await read_body(blob.body)) < blob.descriptor.size
    await worker.settled()
    assert await worker.blob(digest) == content


async def test_what_an_upstream_refuses_at_once_is_told_though_the_size_is_known(
    upstream: TestUpstream, worker: Worker
) -> None:
    """A promise is made only when it keeps us waiting."""
    digest = upstream.add_blob(NAME, os.urandom(MIB))
    worker.ledger.sizes[NAME, digest] = MIB
    await upstream.stop()

    with pytest.raises(UpstreamUnreachable):
        await worker.open(digest)


async def test_uses_are_noted(upstream: TestUpstream, worker: Worker) -> None:
    """What came, of what size, and what was asked for again."""
    upstream.add_image(NAME, "latest", pushed := image(1))
    digest = Digest.parse(pushed.blobs[0].digest)
    await pull(worker)
    await worker.blob(digest)
    await worker.settled()

    assert worker.ledger.kept[NAME, Digest.parse(pushed.digest)] == len(pushed.content)
    assert worker.ledger.kept[NAME, digest] == len(pushed.blobs[0].content)
    assert worker.ledger.size_of(NAME, digest) == len(pushed.blobs[0].content)
    worker.ledger.uses.clear()
    await pull(worker)
    await worker.blob(digest)
    assert set(worker.ledger.uses) == {(NAME, Digest.parse(pushed.digest)), (NAME, digest)}
