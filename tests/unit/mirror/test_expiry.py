"""What leaves a cache: on real files, with a real index."""

import asyncio
import os
from pathlib import Path

import pytest

from entrepot.ledger import Kind
from entrepot.mirror.expiry import GRACE, Bounds
from entrepot.oci.digest import Digest
from entrepot.oci.errors import ManifestUnknown
from entrepot.oci.names import RepositoryName, Tag
from entrepot.storage.evicted import identify
from entrepot.testing.images import Extras, image, index, layer
from entrepot.testing.registry_contents import push, read_blob, upload
from tests.caches import APP, DAY, FURTHER, LOCAL, OTHER, KeptCache

LATEST = Tag.parse("latest")


async def test_what_was_not_used_for_its_ttl_leaves_with_its_bytes_and_tags(kept: KeptCache) -> None:
    """Links, tags, content and its directories are gone."""
    sample = image([layer({"a": b"content"})])
    digest = await kept.pull(APP, sample, "latest")
    kept.now += 8 * DAY
    freed = await kept.expiry.run_once()
    assert kept.bytes_on_disk() == 0
    assert freed.size == len(sample.content) + sum(len(blob.content) for blob in sample.blobs)
    assert not kept.data(digest).parent.exists()
    assert not kept.link(APP, digest, Kind.MANIFEST).parent.exists()
    with pytest.raises(ManifestUnknown):
        await kept.registry.tags.resolve(APP, LATEST)
    assert kept.meter.evictions == [("docker.io", "ttl", freed.entries, freed.size)]


async def test_what_was_used_since_stays_with_all_it_needs(kept: KeptCache) -> None:
    """To use an index is to use its images and their layers."""
    inner = image([layer({"a": b"content"})])
    digest = await kept.pull(APP, index([inner]), "latest")
    before = kept.bytes_on_disk()
    kept.now += 6 * DAY
    await kept.use(APP, digest)
    kept.now += 6 * DAY
    assert (await kept.expiry.run_once()).entries == 0
    assert kept.bytes_on_disk() == before


async def test_a_shared_blob_stays_for_the_repository_in_which_it_is_used(kept: KeptCache) -> None:
    """One repository's link expires, the other's lives, and so do the bytes."""
    digest = await kept.fill(APP, b"shared")
    await kept.fill(FURTHER, b"shared")
    kept.now += 6 * DAY
    await kept.use(FURTHER, digest)
    kept.now += 2 * DAY
    freed = await kept.expiry.run_once()
    assert (freed.entries, freed.size) == (1, 0)
    assert not kept.link(APP, digest).exists()
    assert await read_blob(await kept.registry.reader(FURTHER).open_blob(digest)) == b"shared"
    kept.now += 8 * DAY
    assert (await kept.expiry.run_once()).size == len(b"shared")
    assert kept.bytes_on_disk() == 0


async def test_pushed_content_stays_whatever_happens_to_a_copy(kept: KeptCache) -> None:
    """A blob that a local repository links as well is never removed (I9)."""
    digest = await kept.fill(APP, b"pushed too")
    await upload(kept.registry.writer(LOCAL), b"pushed too")
    await upload(kept.registry.writer(LOCAL), b"only pushed")
    kept.now += 8 * DAY
    kept.maxsize, kept.shortage = 1, 1 << 40
    await kept.expiry.run_once()
    assert not kept.link(APP, digest).exists()
    assert await read_blob(await kept.registry.reader(LOCAL).open_blob(digest)) == b"pushed too"
    assert kept.bytes_on_disk() == len(b"pushed too" + b"only pushed")


async def test_pushed_content_is_there_all_the_time(kept: KeptCache) -> None:
    """It is not even renamed: a reader would not find it meanwhile."""
    digest = await kept.fill(APP, b"pushed too")
    await upload(kept.registry.writer(LOCAL), b"pushed too")
    before = identify(str(kept.data(digest)))
    kept.now += 8 * DAY
    await kept.expiry.run_once()
    assert identify(str(kept.data(digest))) == before


async def test_a_pushed_image_stays_with_its_manifest(kept: KeptCache) -> None:
    """The same image, cached and pushed: the pushed one can still be pulled."""
    sample = image([layer({"a": b"content"})])
    digest = await kept.pull(APP, sample)
    await push(kept.registry.writer(LOCAL), sample, "latest")
    kept.now += 8 * DAY
    await kept.expiry.run_once()
    assert (await kept.registry.reader(LOCAL).manifest(digest)).content == sample.content
    for blob in sample.blobs:
        assert await read_blob(await kept.registry.reader(LOCAL).open_blob(Digest.parse(blob.digest))) == blob.content


async def test_a_repository_that_became_local_keeps_its_links(kept: KeptCache) -> None:
    """Only its rows are forgotten."""
    digest = await kept.fill(LOCAL, b"once cached")
    kept.now += 8 * DAY
    await kept.expiry.run_once()
    assert kept.link(LOCAL, digest).exists()
    assert kept.data(digest).exists()
    assert await kept.inventory.page(None, 10) == []


async def test_too_much_is_brought_to_nine_tenths_of_its_bound(kept: KeptCache) -> None:
    """Least recently used first, and no more than is needed."""
    digests = []
    for number in range(20):
        digests.append(await kept.fill(APP, bytes([number]) * 1000))
        kept.now += 100
    await kept.use(APP, digests[0])
    kept.now += 100
    kept.bounds[""] = Bounds(0, 15_000, "docker.io")
    freed = await kept.expiry.run_once()
    assert freed.reasons == {"maxsize": 7}
    assert [kept.data(digest).exists() for digest in digests] == [True] + [False] * 7 + [True] * 12
    assert (await kept.expiry.run_once()).entries == 0


async def test_the_bound_of_one_namespace_spares_the_others(kept: KeptCache) -> None:
    """Older content of another upstream stays."""
    other = await kept.fill(FURTHER, b"f" * 1000)
    kept.now += 100
    mine = await kept.fill(APP, b"a" * 1000)
    kept.now += 100
    kept.bounds[""] = Bounds(0, 500)
    await kept.expiry.run_once()
    assert kept.data(other).exists()
    assert not kept.data(mine).exists()


async def test_the_bound_of_all_takes_the_oldest_of_any_namespace(kept: KeptCache) -> None:
    """The global bound knows no upstreams."""
    old = await kept.fill(FURTHER, b"f" * 1000)
    kept.now += 100
    new = await kept.fill(APP, b"a" * 1000)
    kept.now += 100
    kept.maxsize = 1500
    await kept.expiry.run_once()
    assert [kept.data(old).exists(), kept.data(new).exists()] == [False, True]


async def test_a_full_file_system_takes_only_what_frees_enough(kept: KeptCache) -> None:
    """A link to what another repository needs frees nothing, so more has to go."""
    shared = await kept.fill(APP, b"s" * 1000)
    kept.now += 100
    alone = await kept.fill(APP, b"a" * 1000)
    kept.now += 100
    await kept.fill(OTHER, b"s" * 1000)
    last = await kept.fill(APP, b"l" * 1000)
    kept.now += 100
    kept.shortage = 900
    freed = await kept.expiry.run_once()
    assert freed.size == 1000
    assert [kept.data(digest).exists() for digest in (shared, alone, last)] == [True, False, True]


async def test_what_was_used_just_now_stays_even_when_the_disk_is_full(kept: KeptCache) -> None:
    """For as long as a pull may take to come back for it."""
    digest = await kept.fill(APP, b"a" * 1000)
    kept.now += GRACE - 1
    kept.maxsize, kept.shortage = 1, 1 << 40
    await kept.expiry.run_once()
    assert kept.data(digest).exists()


async def test_a_layer_that_is_older_than_its_manifest_counts_as_used_with_it(kept: KeptCache) -> None:
    """As after an index was lost: the times of links say when each was written, not what was used."""
    old = layer({"a": b"content"})
    await kept.pull(APP, index([image([old])]))
    os.utime(kept.link(APP, Digest.parse(old.digest)), (kept.now - 6 * DAY,) * 2)
    for file in kept.index.parent.glob(f"{kept.index.name}*"):
        file.unlink()
    await kept.housekeeping.survey_if_due()
    kept.now += 2 * DAY
    assert (await kept.expiry.run_once()).entries == 0


async def test_a_referrer_leaves_with_its_link_from_the_subject(kept: KeptCache) -> None:
    """Nothing lists it any more."""
    subject = image([layer({"a": b"content"})])
    signature = index([], extras=Extras(subject=subject))
    digest = await kept.pull(APP, subject)
    await kept.pull(APP, signature)
    kept.now += 6 * DAY
    await kept.use(APP, digest)
    kept.now += 2 * DAY
    await kept.expiry.run_once()
    assert kept.data(digest).exists()
    assert not list(kept.root.rglob("referrers/*/*/*/*/link"))


async def test_a_tag_that_was_moved_meanwhile_stays(kept: KeptCache) -> None:
    """Only tags that still name what leaves go with it."""
    old, new = image([layer({"a": b"old"})]), image([layer({"a": b"new"})])
    await kept.pull(APP, old, "latest")
    kept.now += 6 * DAY
    moved = await kept.pull(APP, new)
    await kept.cache.set_tag(APP, LATEST, moved)
    kept.now += 2 * DAY
    await kept.expiry.run_once()
    assert await kept.registry.tags.resolve(APP, LATEST) == moved


async def test_readers_finish_what_they_have_begun(kept: KeptCache) -> None:
    """An open file is read to its end, and one that was looked at just before can still be opened."""
    digest = await kept.fill(APP, b"being read")
    seen: list[bytes] = []

    async def open_late() -> None:
        seen.append(await asyncio.to_thread(kept.data(digest).read_bytes))

    kept.during_pause.append(open_late)
    kept.now += 8 * DAY
    with kept.data(digest).open("rb") as file:
        await kept.expiry.run_once()
        assert file.read() == b"being read"
    assert seen == [b"being read"]
    assert not kept.data(digest).exists()


@pytest.mark.parametrize("pause", [0, 1])
async def test_a_push_of_the_same_content_wins(kept: KeptCache, pause: int) -> None:
    """Before the bytes are renamed, and after."""
    digest = await kept.fill(APP, b"content")

    async def push_it() -> None:
        await upload(kept.registry.writer(LOCAL), b"content")

    kept.during_pause += [*[_nothing] * pause, push_it]
    kept.now += 8 * DAY
    await kept.expiry.run_once()
    assert kept.during_pause == []
    assert await read_blob(await kept.registry.reader(LOCAL).open_blob(digest)) == b"content"
    assert not kept.evicted(digest).exists()


@pytest.mark.parametrize("pause", [0, 1])
async def test_a_link_that_is_made_at_the_last_moment_keeps_the_bytes(kept: KeptCache, pause: int) -> None:
    """A mount, or a pull of another repository, which had looked before."""
    digest = await kept.fill(APP, b"content")

    async def link() -> None:
        await kept.cache.link_blob(LOCAL, digest)

    kept.during_pause += [*[_nothing] * pause, link]
    kept.now += 8 * DAY
    await kept.expiry.run_once()
    assert await read_blob(await kept.registry.reader(LOCAL).open_blob(digest)) == b"content"
    assert not kept.evicted(digest).exists()


async def test_a_fill_of_the_same_content_wins(kept: KeptCache) -> None:
    """It is there when the pass is over, and known."""
    digest = await kept.fill(APP, b"content")

    async def fill() -> None:
        await kept.fill(OTHER, b"content")

    kept.during_pause += [_nothing, fill]
    kept.now += 8 * DAY
    await kept.expiry.run_once()
    assert await read_blob(await kept.registry.reader(OTHER).open_blob(digest)) == b"content"
    assert await kept.inventory.held([digest]) == {digest}


async def test_a_running_fill_beside_the_content_stays(kept: KeptCache) -> None:
    """Its directory is not removed."""
    digest = await kept.fill(APP, b"content")
    spool = Path(kept.cache.spool_path(digest))
    spool.write_bytes(b"half")
    kept.now += 8 * DAY
    await kept.expiry.run_once()
    assert spool.read_bytes() == b"half"
    assert not kept.data(digest).exists()


async def test_what_cannot_be_removed_stops_the_pass_and_not_the_next(kept: KeptCache) -> None:
    """Else all links would go while the disk stays as full as it is."""
    digests = [await kept.fill(APP, bytes([number])) for number in range(3)]
    for digest in digests:
        kept.evicted(digest).mkdir()
        (kept.evicted(digest) / "intruder").touch()
    kept.now += 100
    kept.shortage = 1
    freed = await kept.expiry.run_once()
    assert (freed.entries, freed.size) == (1, 0)
    [left] = await kept.inventory.leaving("", 10)
    (kept.evicted(left) / "intruder").unlink()
    kept.evicted(left).rmdir()
    await kept.removal.finish()
    assert not kept.data(left).exists()
    assert await kept.inventory.leaving("", 10) == []


async def test_a_link_that_cannot_be_removed_does_not_keep_others(kept: KeptCache, tmp_path: Path) -> None:
    """The next one goes in its place."""
    first, second, third = [await kept.fill(APP, bytes([number]) * 1000) for number in range(3)]
    kept.link(APP, first).unlink()
    kept.link(APP, first).parent.rmdir()
    kept.link(APP, first).parent.symlink_to(tmp_path)
    kept.now += 100
    for digest in (second, third):
        await kept.use(APP, digest)
        kept.now += 100
    kept.maxsize = 2500
    assert (await kept.expiry.run_once()).size == 1000
    assert [kept.data(digest).exists() for digest in (first, second, third)] == [True, False, True]


async def test_a_large_pass_goes_in_batches(kept: KeptCache) -> None:
    """More than a batch leaves in one pass, also where all was used at the same time."""
    for number in range(1100):
        digest = Digest.of(str(number).encode())
        for path, content in ((kept.data(digest), b"x"), (kept.link(APP, digest), digest.encode())):
            path.parent.mkdir(parents=True)
            path.write_bytes(content)
        kept.ledger.kept_blob(APP, digest, 1)
    await kept.ledger.flush()
    kept.now += 8 * DAY
    assert (await kept.expiry.run_once()).entries == 1100
    assert kept.bytes_on_disk() == 0


@pytest.mark.parametrize("name", [APP, FURTHER])
async def test_nothing_leaves_where_nothing_is_bound(kept: KeptCache, name: RepositoryName) -> None:
    """A ttl of 0 keeps for ever."""
    digest = await kept.fill(name, b"content")
    kept.bounds = {"": Bounds(0), "ghcr.io": Bounds(-1)}
    kept.now += 10_000 * DAY
    assert (await kept.expiry.run_once()).entries == 0
    assert kept.data(digest).exists()


async def _nothing() -> None:
    """Happens."""
