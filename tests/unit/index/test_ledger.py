"""What a worker notes and asks."""

import asyncio
import os
import sqlite3
import threading
from contextlib import suppress
from dataclasses import replace

import pytest

from entrepot.content import Manifest
from entrepot.index import notes
from entrepot.index.ledger import PRECISION, SqliteLedger
from entrepot.ledger import Kind, Link
from entrepot.oci.descriptor import Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import parse
from entrepot.oci.names import Tag
from entrepot.testing.images import SampleManifest, image, index
from tests.caches import APP, FURTHER, OTHER, KeptCache, namespace_of

LATEST = Tag.parse("latest")
DIGEST = Digest.of(b"content")


def manifest_of(sample: SampleManifest) -> Manifest:
    """As it came."""
    return Manifest(Digest.parse(sample.digest), sample.content, parse(sample.content, None))


def another_worker(kept: KeptCache) -> SqliteLedger:
    """On the same index, with nothing in memory."""
    return SqliteLedger(str(kept.index), namespace_of, kept.clock)


async def test_another_worker_finds_what_was_flushed(kept: KeptCache) -> None:
    """Confirmations and sizes, at once in the same worker and after a flush in others."""
    sample = manifest_of(image(2))
    kept.ledger.kept_manifest(APP, sample)
    kept.ledger.confirmed(APP, LATEST, sample.digest)
    other = another_worker(kept)
    for layer in sample.parsed.layers:
        assert kept.ledger.size_of(APP, layer.digest) == layer.size
        assert other.size_of(APP, layer.digest) is None
    assert kept.ledger.confirmed_at(APP, LATEST) == kept.now
    assert other.confirmed_at(APP, LATEST) is None
    await kept.ledger.flush()
    for layer in sample.parsed.layers:
        assert other.size_of(APP, layer.digest) == layer.size
    assert other.confirmed_at(APP, LATEST) == kept.now
    assert other.confirmed_at(OTHER, LATEST) is None
    other._stop_reading()


async def test_a_confirmation_is_never_replaced_by_an_earlier_one(kept: KeptCache) -> None:
    """Workers flush in any order."""
    late, early = another_worker(kept), kept.ledger
    early.confirmed(APP, LATEST, DIGEST)
    kept.now += 5
    late.confirmed(APP, LATEST, Digest.of(b"new"))
    await late.flush()
    await early.flush()
    reader = another_worker(kept)
    assert reader.confirmed_at(APP, LATEST) == kept.now
    reader._stop_reading()
    late._database.close()


async def test_what_is_used_is_used_when_it_is_written(kept: KeptCache) -> None:
    """In the repository that was asked, and no other."""
    for name in (APP, FURTHER):
        kept.ledger.kept_blob(name, DIGEST, 7)
    await kept.ledger.flush()
    then = kept.now
    kept.now += 100
    kept.ledger.used(APP, DIGEST)
    kept.ledger.used(APP, Digest.of(b"unknown"))
    await kept.ledger.flush()
    assert await kept.inventory.page(None, 10) == [
        Link(FURTHER, DIGEST, Kind.BLOB, 7, then),
        Link(APP, DIGEST, Kind.BLOB, 7, kept.now),
    ]


async def test_an_index_is_used_with_its_images_and_their_layers(kept: KeptCache) -> None:
    """So that the order of what leaves is right without looking at what needs what."""
    digest = await kept.pull(APP, index([image(2), image(1)]))
    kept.now += 100
    await kept.use(APP, digest)
    assert {link.used_at for link in await kept.inventory.page(None, 100)} == {kept.now}


async def test_what_is_used_all_the_time_is_written_now_and_then(kept: KeptCache) -> None:
    """A hot image must not be written each second."""
    kept.ledger.kept_blob(APP, DIGEST, 7)
    await kept.ledger.flush()
    written = set()
    for _ in range(21):
        kept.now += 1
        await kept.use(APP, DIGEST)
        written.add((await kept.inventory.page(None, 1))[0].used_at)
    assert len(written) == 1 + 20 // PRECISION


async def test_what_is_kept_is_written_while_many_threads_note_what_is_used(kept: KeptCache) -> None:
    """A use that is noted at the moment of a flush may be lost, nothing else."""

    def use(start: int) -> None:
        for number in range(2000):
            kept.ledger.used(APP, Digest.of(b"%d %d" % (start, number)))

    threads = [threading.Thread(target=use, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for number in range(800):
        kept.ledger.kept_blob(APP, Digest.of(b"%d" % number), 1)
        if number % 20 == 0:
            await kept.ledger.flush()
    for thread in threads:
        thread.join()
    await kept.ledger.flush()
    assert len(await kept.inventory.page(None, 1000)) == 800


async def test_notes_are_bounded(kept: KeptCache) -> None:
    """A worker that cannot write does not grow for ever; the newest confirmation is known all the same."""
    ledger = kept.ledger
    ledger._notes.used = {(APP, Digest.of(b"%d" % n)) for n in range(3)}
    ledger._notes.used.update((APP, Digest(str(n))) for n in range(notes.BOUND))
    before = len(ledger._notes.used)
    ledger.used(APP, DIGEST)
    assert len(ledger._notes.used) == before


async def test_a_size_is_what_a_manifest_of_the_same_repository_tells(kept: KeptCache) -> None:
    """In memory and in the index: another repository's manifest may lie."""
    sample = manifest_of(image(1))
    child = sample.parsed.layers[0]
    kept.ledger.kept_manifest(APP, sample)
    await kept.ledger.flush()

    for ledger in (kept.ledger, another_worker(kept)):
        assert ledger.size_of(APP, child.digest) == child.size
        assert ledger.size_of(OTHER, child.digest) is None
        ledger._stop_reading()


async def test_what_cannot_be_written_is_kept_and_said_once(kept: KeptCache, capfd: pytest.CaptureFixture[str]) -> None:
    """As long as the index cannot be made, questions are answered from memory; then everything is written."""
    kept.index.parent.write_bytes(b"in the way")
    kept.ledger.kept_blob(APP, DIGEST, 7)
    kept.ledger.confirmed(APP, LATEST, DIGEST)
    for _ in range(3):
        kept.ledger.used(APP, DIGEST)
        await kept.ledger.flush()
    assert kept.ledger.confirmed_at(APP, LATEST) == kept.now
    assert kept.ledger.size_of(APP, DIGEST) is None
    kept.index.parent.unlink()
    await kept.ledger.flush()
    assert [link.digest for link in await kept.inventory.page(None, 10)] == [DIGEST]
    output = "".join(capfd.readouterr())
    assert output.count("index_not_written") == 1
    assert output.count("index_written_again") == 1


async def test_an_index_that_somebody_else_writes_to_is_waited_for_and_tried_again(kept: KeptCache) -> None:
    """Questions do not wait meanwhile."""
    kept.ledger.confirmed(APP, LATEST, DIGEST)
    await kept.ledger.flush()
    kept.ledger._database._patience = 0.05
    kept.ledger._database.close()
    blocker = sqlite3.connect(kept.index, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    kept.ledger.kept_blob(APP, DIGEST, 7)
    await kept.ledger.flush()
    kept.ledger._confirmed.clear()
    assert kept.ledger.confirmed_at(APP, LATEST) == kept.now
    blocker.close()
    await kept.ledger.flush()
    assert len(await kept.inventory.page(None, 10)) == 1


async def test_an_index_that_is_replaced_while_it_is_open_is_opened_anew(kept: KeptCache) -> None:
    """The keeper set it aside: nobody goes on writing to the old one."""
    kept.ledger.confirmed(APP, LATEST, DIGEST)
    await kept.ledger.flush()
    other = another_worker(kept)
    assert other.confirmed_at(APP, LATEST) is not None
    kept.index.rename(kept.index.with_suffix(".aside"))
    kept.ledger.kept_blob(APP, DIGEST, 7)
    await kept.ledger.flush()
    assert len(await kept.inventory.page(None, 10)) == 1
    await other.flush()
    assert other.confirmed_at(APP, LATEST) is None
    other._stop_reading()


async def test_the_last_notes_are_written_when_the_server_stops(kept: KeptCache) -> None:
    """Cancelling writes what there is."""
    task = asyncio.create_task(kept.ledger.run())
    await asyncio.sleep(0)
    kept.ledger.kept_blob(APP, DIGEST, 7)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert len(await kept.inventory.page(None, 10)) == 1


async def test_manifests_of_very_many_references_are_noted_as_far_as_there_is_room(kept: KeptCache) -> None:
    """An upstream must not be able to fill the memory; there is room again after the next flush."""
    parsed = replace(manifest_of(image(1)).parsed, layers=(Descriptor("", DIGEST, 7),) * 90_000)
    manifests = [Manifest(Digest.of(bytes([number])), b"", parsed) for number in range(3)]
    for expected in (2, 3):
        for manifest in manifests:
            kept.ledger.kept_manifest(APP, manifest)
        await kept.ledger.flush()
        assert len(await kept.inventory.page(None, 10)) == expected
        manifests.reverse()


async def test_damaged_indices_do_not_pile_up(kept: KeptCache) -> None:
    """The last two are kept, for whoever wants to know."""
    for _ in range(4):
        kept.ledger.kept_blob(APP, DIGEST, 7)
        await kept.ledger.flush()
        for file in kept.index.parent.glob("index.db*"):
            if "damaged" not in file.name:
                file.unlink()
        kept.index.write_bytes(os.urandom(5000))
    assert len(list(kept.index.parent.glob("index.db.damaged-*[0-9]"))) == 2
