"""The keeper's care of a cache: the index made again from the layout, leftovers, and what a crash has interrupted."""

import asyncio
import fcntl
import json
import os
from contextlib import suppress
from pathlib import Path

import pytest

from entrepot.index.writers import Writer, writers_of
from entrepot.ledger import Kind, Link
from entrepot.mirror.expiry import Bounds
from entrepot.oci.digest import Digest
from entrepot.storage.evicted import Identity, identify, rename_away
from entrepot.testing.images import image, index, layer
from entrepot.testing.registry_contents import read_blob, upload
from tests.caches import APP, DAY, FURTHER, LOCAL, OTHER, KeptCache


async def all_links(kept: KeptCache) -> list[Link]:
    """What the index knows."""
    return [*await kept.inventory.page(None, 1000)]


def lose(kept: KeptCache) -> None:
    """Remove the index, with what belongs to it."""
    for file in kept.index.parent.glob("index.db*"):
        file.unlink()


def truncate(kept: KeptCache) -> None:
    """Cut the index short, as a crash of the machine might."""
    content = kept.index.read_bytes()
    lose(kept)
    kept.index.write_bytes(content[: len(content) // 2])


def empty(kept: KeptCache) -> None:
    """Leave a file without content."""
    lose(kept)
    kept.index.touch()


def garble(kept: KeptCache) -> None:
    """Put something else there."""
    lose(kept)
    kept.index.write_bytes(os.urandom(10_000))


def outdate(kept: KeptCache) -> None:
    """Leave an index of another version."""
    kept.inventory._database.run(
        lambda connection: connection.execute("UPDATE meta SET value = '0' WHERE key = 'version'")
    )
    kept.inventory.close()


@pytest.mark.parametrize("damage", [lose, truncate, empty, garble, outdate])
async def test_an_index_that_is_lost_or_damaged_is_made_again(kept: KeptCache, damage: object) -> None:
    """With all links, what manifests need, tags and sizes; and what was cached expires as before."""
    sample = index([image([layer({"a": b"content"})]), image(1)])
    digest = await kept.pull(APP, sample, "latest")
    await kept.fill(FURTHER, b"more")
    before = await all_links(kept)
    kept.inventory._database.read(lambda connection: connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
    assert callable(damage)
    damage(kept)
    kept.ledger._sizes.clear()
    kept.ledger._confirmed.clear()
    await kept.inventory.check()
    await kept.housekeeping.survey_if_due()
    after = await all_links(kept)
    assert [link[:4] for link in after] == [link[:4] for link in before]
    assert all(abs(link.used_at - kept.now) < 60 for link in after)
    await kept.ledger.flush()
    for child in sample.in_push_order():
        for blob in child.blobs:
            assert kept.ledger.size_of(APP, Digest.parse(blob.digest)) == len(blob.content)
    assert [tag.tag for tag in await kept.inventory.tags(after)] == ["latest"]
    assert len(list(kept.index.parent.glob("index.db.damaged-*[0-9]"))) == (damage in (truncate, garble, outdate))
    kept.now += 8 * DAY
    await kept.housekeeping.expire()
    assert kept.bytes_on_disk() == 0
    assert not kept.data(digest).exists()


async def test_nothing_leaves_before_all_is_known(kept: KeptCache) -> None:
    """A new index knows one repository, and another one needs the content as well."""
    digest = await kept.fill(APP, b"shared")
    await kept.cache.link_blob(OTHER, digest)
    kept.now += 8 * DAY
    await kept.housekeeping.expire()
    assert kept.link(APP, digest).exists()


async def test_a_survey_leaves_pushed_content_out(kept: KeptCache) -> None:
    """What is local is none of the cache's."""
    await upload(kept.registry.writer(LOCAL), b"pushed")
    await kept.housekeeping.survey_if_due()
    assert await all_links(kept) == []


async def test_a_survey_does_not_make_what_was_used_older(kept: KeptCache) -> None:
    """The time of a link is that of its writing; what is known is newer."""
    await kept.fill(APP, b"content")
    os.utime(kept.link(APP, Digest.of(b"content")), (kept.now - DAY,) * 2)
    await kept.housekeeping.survey(is_first=False)
    assert [link.used_at for link in await all_links(kept)] == [kept.now]


async def test_a_clock_that_was_wrong_keeps_nothing_for_ever(kept: KeptCache) -> None:
    """A link that was written in the future counts as used now."""
    digest = await kept.fill(APP, b"content")
    os.utime(kept.link(APP, digest), (kept.now + 1000 * DAY,) * 2)
    lose(kept)
    await kept.housekeeping.survey_if_due()
    assert [link.used_at for link in await all_links(kept)] == [kept.now]


async def test_a_survey_each_day_finds_what_the_index_does_not_know(kept: KeptCache) -> None:
    """Links that somebody else has made are added, those that are gone are forgotten."""
    gone, stays = await kept.fill(APP, b"gone"), await kept.fill(APP, b"stays")
    await kept.housekeeping.survey_if_due()
    kept.link(APP, gone).unlink()
    await kept.cache.link_blob(OTHER, stays)
    await kept.housekeeping.survey_if_due()
    assert [(link.name, link.digest) for link in await all_links(kept)] == sorted([(APP, gone), (APP, stays)])
    kept.now += DAY
    await kept.housekeeping.survey_if_due()
    assert [(link.name, link.digest) for link in await all_links(kept)] == [(APP, stays), (OTHER, stays)]
    await kept.housekeeping.expire()
    assert not kept.data(gone).exists()


async def test_what_a_killed_worker_had_not_written_is_found_at_once(kept: KeptCache) -> None:
    """Long before the next survey is due; and once, not each time."""
    await kept.housekeeping.survey_if_due()
    dead = Writer(writers_of(str(kept.index)))
    dead.enter()
    dead.leave(is_done=False)
    digest = await kept.fill(APP, b"content")
    await kept.inventory.forget(await all_links(kept))
    kept.now += 1

    await kept.housekeeping.survey_if_due()

    assert [link.digest for link in await all_links(kept)] == [digest]
    assert await kept.inventory.dead_writers() == []


async def test_a_killed_eviction_is_gone_on_with(kept: KeptCache) -> None:
    """Killed after the rename: what nobody links is removed, what somebody links is put back."""
    gone, linked = await kept.fill(APP, b"gone"), await kept.fill(APP, b"linked")
    await kept.housekeeping.survey_if_due()
    marked: dict[Digest, Identity] = await kept.eviction.mark([gone, linked])
    links = await all_links(kept)
    await kept.eviction.unlink(links, [])
    await kept.inventory.forget(links)
    for digest in (gone, linked):
        assert rename_away(str(kept.data(digest)), str(kept.evicted(digest)), marked[digest])
    await kept.cache.link_blob(LOCAL, linked)
    await kept.housekeeping.expire()
    assert not kept.data(gone).parent.exists()
    assert await read_blob(await kept.registry.reader(LOCAL).open_blob(linked)) == b"linked"
    assert not kept.evicted(linked).exists()


async def test_a_killed_eviction_is_gone_on_with_though_the_index_is_lost(kept: KeptCache) -> None:
    """The survey finds what was renamed."""
    gone, linked = await kept.fill(APP, b"gone"), await kept.fill(APP, b"linked")
    for digest in (gone, linked):
        kept.data(digest).rename(kept.evicted(digest))
    kept.link(APP, gone).unlink()
    lose(kept)
    await kept.housekeeping.survey_if_due()
    assert not kept.data(gone).parent.exists()
    assert await read_blob(await kept.registry.reader(APP).open_blob(linked)) == b"linked"


async def test_what_was_renamed_gives_way_to_new_content(kept: KeptCache) -> None:
    """A fill came after the crash: its content is the one that stays."""
    digest = await kept.fill(APP, b"content")
    kept.data(digest).rename(kept.evicted(digest))
    await kept.fill(APP, b"content")
    new = identify(str(kept.data(digest)))
    await kept.housekeeping.survey_if_due()
    assert identify(str(kept.data(digest))) == new
    assert not kept.evicted(digest).exists()


async def test_spools_that_no_fill_will_go_on_with_are_removed(kept: KeptCache) -> None:
    """Old ones, unless somebody holds them; with their records and their directories."""
    old, young, led, alone = (Path(kept.cache.spool_path(Digest.of(bytes([number])))) for number in range(4))
    for spool in (old, young, led, alone):
        spool.parent.mkdir(parents=True)
        for path in (spool, spool.with_suffix(".progress")):
            path.write_bytes(b"half")
            os.utime(path, (kept.now - 2 * DAY,) * 2)
    os.utime(young)
    alone.unlink()
    with led.open("rb") as leader:
        fcntl.flock(leader, fcntl.LOCK_EX)
        await kept.housekeeping.survey_if_due()
        assert [spool.parent.exists() for spool in (old, young, led, alone)] == [False, True, True, False]
    assert young.with_suffix(".progress").exists()


async def test_content_that_a_killed_fill_has_not_linked_leaves(kept: KeptCache) -> None:
    """It counted for no bound, and nobody might ask for it again; what was linked, or still is brought, stays."""
    contents = [b"linked", b"unlinked", b"brought now"]
    linked, unlinked, brought = [await kept.fill(APP, content) for content in contents]
    for digest in (linked, unlinked, brought):
        Path(f"{kept.cache.spool_path(digest)}.progress").write_bytes(b"record")
    for digest in (unlinked, brought):
        kept.link(APP, digest).unlink()
    lose(kept)
    with kept.data(brought).open("rb") as leader:
        fcntl.flock(leader, fcntl.LOCK_EX)
        await kept.housekeeping.survey_if_due()

    await kept.housekeeping.expire()

    assert [kept.data(digest).exists() for digest in (linked, unlinked, brought)] == [True, False, True]


def entry(name: str, digest: str, at: str, kind: object = 0) -> dict[str, object]:
    """As Distribution writes it."""
    return {"Key": f"{name}@{digest}", "ExpiryData": at, "EntryType": kind}


async def test_what_distribution_has_noted_is_taken_over(kept: KeptCache) -> None:
    """Its expiry, less the ttl, is when it was used; the other links count as used when they were written."""
    noted, other = await kept.fill(APP, b"noted"), await kept.fill(APP, b"other")
    lose(kept)
    entries = {
        "good": entry(APP, noted, "2024-05-08T10:00:00.123456789+02:00"),
        "no digest": entry(APP, "sha256:1", "2024-05-08T10:00:00Z"),
        "no time": entry(APP, other, "soon"),
        "no kind": entry(APP, other, "2024-05-08T10:00:00Z", 7),
        "no hashable kind": entry(APP, other, "2024-05-08T10:00:00Z", []),
        "no entry": 5,
        "no path": entry("../../etc", other, "2024-05-08T10:00:00Z"),
    }
    (kept.root / "scheduler-state.json").write_text(json.dumps(entries))
    await kept.housekeeping.survey_if_due()
    used = {link.digest: link.used_at for link in await all_links(kept)}
    assert used[noted] == pytest.approx(1715155200.123456 - 7 * DAY)
    assert used[other] == pytest.approx(kept.now, abs=60)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b'{"a":', b"[]", b"null", b"7", b"[" * 100_000, b"\xff\xfe", b'{"a": {"Key": 1}}', b" " * (33 << 20)],
    ids=["empty", "cut", "cut later", "list", "null", "number", "deep", "not text", "wrong entry", "huge"],
)
async def test_what_distribution_has_left_damaged_is_ignored(kept: KeptCache, content: bytes) -> None:
    """The first survey goes on without it."""
    await kept.fill(APP, b"content")
    (kept.root / "scheduler-state.json").write_bytes(content)
    await kept.housekeeping.survey_if_due()
    assert await kept.inventory.surveyed_at() == kept.now
    assert len(await all_links(kept)) == 1


async def test_an_expiry_that_lies_far_ahead_is_bounded(kept: KeptCache) -> None:
    """Nothing counts as used in the future."""
    digest = await kept.fill(APP, b"content")
    lose(kept)
    (kept.root / "scheduler-state.json").write_text(json.dumps({"x": entry(APP, digest, "9999-05-08T10:00:00Z")}))
    await kept.housekeeping.survey_if_due()
    assert [link.used_at for link in await all_links(kept)] == [kept.now]


async def test_the_keeper_goes_on_after_failures(kept: KeptCache) -> None:
    """An index that is damaged while it runs is made again, and what is old still leaves."""
    digest = await kept.fill(APP, b"content")
    kept.bounds[""] = Bounds(7 * DAY)
    task = asyncio.create_task(kept.housekeeping.run())
    try:
        async with asyncio.timeout(30):
            while await kept.inventory.surveyed_at() is None:
                await asyncio.sleep(0.01)
            garble(kept)
            kept.now += 8 * DAY
            while kept.bytes_on_disk():
                await asyncio.sleep(0.01)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert not kept.data(digest).exists()


async def test_links_that_are_no_files_are_passed_over(kept: KeptCache) -> None:
    """Whatever else somebody has put into the tree."""
    digest = await kept.fill(APP, b"content")
    layers = kept.link(APP, digest).parent.parent
    (layers / "not-a-digest").mkdir()
    (layers / ("0" * 64) / "link").mkdir(parents=True)
    (layers / ("1" * 64)).symlink_to("/")
    lose(kept)
    await kept.housekeeping.survey_if_due()
    assert [(link.digest, link.kind) for link in await all_links(kept)] == [(digest, Kind.BLOB)]
