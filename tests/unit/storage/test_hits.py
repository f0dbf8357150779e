"""Hits that need no waiting: never another answer than the ordinary way's, and none where that would wait."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from entrepot.content import Blob, Bytes, LocalFile
from entrepot.driver import Resident
from entrepot.drivers.filesystem import FilesystemDriver
from entrepot.drivers.memory import MemoryDriver
from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName, Tag
from entrepot.registry import Hit
from entrepot.storage import layout
from entrepot.storage.hits import LocalHits
from entrepot.storage.local import LocalRegistry
from entrepot.storage.validation import Rules
from entrepot.testing.images import image
from entrepot.testing.registry_contents import push, upload
from entrepot.wire.ranges import Span

APP, OTHER = RepositoryName.parse("library/app"), RepositoryName.parse("library/other")
LATEST = Tag.parse("latest")
MIB = 1 << 20
SETTLED = 0.3  # seconds after which a file's stat tells every later change


class Store:
    """A registry on files with an image under `latest`, all of it read once, so that memory holds it."""

    def __init__(self, root: Path) -> None:
        self.driver = FilesystemDriver(str(root))
        self.driver.check()
        self.registry = LocalRegistry(self.driver, self.driver, Rules())
        self.hits = LocalHits(self.driver, self.driver, self.registry.manifests)
        self.sample = image(1)
        self.digest = Digest.parse(self.sample.digest)
        self.blob = Digest.of(b"hello")

    async def fill(self) -> None:
        """Push, and read when nothing is so young any more that its stat could hide a change."""
        await push(self.registry.writer(APP), self.sample, "latest")
        await upload(self.registry.writer(APP), b"hello")
        await asyncio.sleep(SETTLED)
        await self.read()

    async def read(self) -> None:
        """What makes memory hold it: the ordinary way."""
        reader = self.registry.reader(APP)
        await reader.manifest(await reader.resolve(LATEST))
        await reader.open_blob(self.blob)


def content_of(hit: Hit[Blob] | None) -> bytes | None:
    """What is in memory of it."""
    return hit.value.body.content if hit is not None and isinstance(hit.value.body, Bytes) else None


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """Filled, and read once."""
    made = Store(tmp_path / "root")
    await made.fill()
    yield made
    made.driver.close()


async def test_what_was_read_before_is_a_hit(store: Store) -> None:
    """By digest, by tag, and a small blob; in the repository that holds them and in no other."""
    known = store.hits.manifest(APP, store.digest)

    assert known is not None
    assert known.value.content == store.sample.content
    assert known.stands()
    tagged = store.hits.manifest(APP, LATEST)
    assert tagged is not None
    assert tagged.value is known.value
    stat = store.hits.stat_blob(APP, store.blob)
    assert stat is not None
    assert stat.value.size == 5
    assert store.hits.stat_blob(OTHER, store.blob) is None
    assert content_of(store.hits.blob(APP, store.blob)) == b"hello"
    assert store.hits.manifest(OTHER, store.digest) is None
    assert store.hits.manifest(OTHER, LATEST) is None
    assert store.hits.blob(OTHER, store.blob) is None


async def test_what_nobody_has_read_is_no_hit(tmp_path: Path) -> None:
    """Reading may have to wait for the disk, so that is left to the ordinary way."""
    store = Store(tmp_path / "root")
    await push(store.registry.writer(APP), store.sample, "latest")

    assert store.hits.manifest(APP, LATEST) is None
    assert store.hits.manifest(APP, store.digest) is None
    store.driver.close()


@pytest.mark.parametrize("gone", ["tag", "revision", "content"])
async def test_what_another_process_takes_away_is_no_hit_any_more(store: Store, gone: str) -> None:
    """R6, F-110: memory grants nothing that the store does not hold at this very moment."""
    path = {
        "tag": layout.tag_current(APP, LATEST),
        "revision": layout.revision_link(APP, store.digest),
        "content": layout.blob_data(store.digest),
    }[gone]
    tagged, known = store.hits.manifest(APP, LATEST), store.hits.manifest(APP, store.digest)
    assert tagged is not None
    assert known is not None
    os.unlink(store.driver.local_path(path))

    assert not tagged.stands()
    assert known.stands() == (gone == "tag")
    assert store.hits.manifest(APP, LATEST) is None
    assert (store.hits.manifest(APP, store.digest) is None) == (gone != "tag")


async def test_an_unlinked_blob_is_no_hit_any_more(store: Store) -> None:
    """The link is asked each time, also while the content stays."""
    hit = store.hits.blob(APP, store.blob)
    assert hit is not None
    os.unlink(store.driver.local_path(layout.layer_link(APP, store.blob)))

    assert not hit.stands()
    assert store.hits.blob(APP, store.blob) is None
    assert store.hits.stat_blob(APP, store.blob) is None


async def test_parts_of_a_blob(store: Store) -> None:
    """Read from the file each time; the link is confirmed by `stands`."""
    hit = store.hits.parts(APP, store.blob)
    assert hit is not None
    part = hit.value(lambda size: Span(1, size))

    assert part is not None
    assert (part.body, part.span, part.descriptor.size) == (Bytes(b"ello"), Span(1, 5), 5)
    assert hit.value(lambda _: None) is None
    assert store.hits.parts(OTHER, store.blob) is None
    os.unlink(store.driver.local_path(layout.blob_data(store.blob)))
    assert hit.value(lambda size: Span(1, size)) is None
    assert hit.stands()
    os.unlink(store.driver.local_path(layout.layer_link(APP, store.blob)))
    assert not hit.stands()


async def test_a_moved_tag_is_seen_at_once(store: Store) -> None:
    """Another worker moved it: the old manifest is not answered under the tag again."""
    other, before = image(1), store.hits.manifest(APP, LATEST)
    assert before is not None
    await push(LocalRegistry(store.driver, store.driver, Rules()).writer(APP), other, "latest")

    answered = store.hits.manifest(APP, LATEST)

    assert not before.stands()
    assert answered is None or answered.value.digest == other.digest
    await asyncio.sleep(SETTLED)
    await store.read()
    moved = store.hits.manifest(APP, LATEST)
    assert moved is not None
    assert moved.value.digest == other.digest


@pytest.mark.parametrize("damage", [b"", b"sha256:", b"junk", b"\xff" * 71])
async def test_a_damaged_link_is_no_hit(store: Store, damage: bytes) -> None:
    """F-103: garbage in a link is never followed."""
    Path(store.driver.local_path(layout.revision_link(APP, store.digest))).write_bytes(damage)

    assert store.hits.manifest(APP, store.digest) is None


async def test_damaged_content_is_no_hit(store: Store) -> None:
    """I1: what lies under a digest and is not of that digest is not answered."""
    before = store.hits.manifest(APP, store.digest)
    assert before is not None
    Path(store.driver.local_path(layout.blob_data(store.digest))).write_bytes(b"{}")

    assert not before.stands()
    assert store.hits.manifest(APP, store.digest) is None


def test_only_drivers_that_keep_files_in_memory_offer_it() -> None:
    """The memory driver's content belongs to one thread."""
    assert not isinstance(MemoryDriver(), Resident)
    assert isinstance(FilesystemDriver("/nowhere"), Resident)


async def push_large(store: Store, size: int) -> tuple[Digest, bytes]:
    """A blob of that size, which was read once."""
    content = os.urandom(size)
    digest = Digest.of(content)
    await upload(store.registry.writer(APP), content)
    await store.registry.reader(APP).open_blob(digest)
    await asyncio.sleep(SETTLED)
    await store.registry.reader(APP).stat_blob(digest)
    return digest, content


async def test_a_small_part_of_a_large_blob_is_a_hit(store: Store) -> None:
    """Read from what the kernel has in memory; a large part, and the whole, are sent by the server itself."""
    digest, large = await push_large(store, 2 * MIB)

    parts = store.hits.parts(APP, digest)
    assert parts is not None
    part = parts.value(lambda size: Span(size - 1000, size))

    assert part is not None
    assert part.body == Bytes(large[-1000:])
    assert (part.descriptor.size, part.span) == (len(large), Span(len(large) - 1000, len(large)))
    assert parts.value(lambda size: Span(0, size)) is None
    assert store.hits.parts(OTHER, digest) is None


async def test_what_is_large_is_a_hit_as_a_file(store: Store) -> None:
    """Whole or in part; as long as it is linked, and the file is the one that was looked at."""
    digest, large = await push_large(store, 2 * MIB)
    path = store.driver.local_path(layout.blob_data(digest))

    whole, part = store.hits.blob(APP, digest), store.hits.blob(APP, digest, lambda size: Span(1, size))

    assert whole is not None
    assert part is not None
    assert (whole.value.body, whole.value.span) == (LocalFile(path), None)
    assert part.value.body == LocalFile(path, Span(1, len(large)))
    assert whole.stands()
    os.truncate(path, 5)
    assert not whole.stands()


async def test_a_blob_of_middle_size_is_a_hit_in_memory(store: Store) -> None:
    """Up to a mebibyte a copy is cheaper than the server's threads; it is read anew each time."""
    digest, content = await push_large(store, MIB)

    assert content_of(store.hits.blob(APP, digest)) == content


async def test_a_large_blob_behind_a_symlink_is_no_hit(store: Store, tmp_path: Path) -> None:
    """Another path to the same bytes is not the file that was looked at."""
    digest, content = await push_large(store, MIB)
    path = Path(store.driver.local_path(layout.blob_data(digest)))
    path.unlink()
    (tmp_path / "elsewhere").write_bytes(content)
    path.symlink_to(tmp_path / "elsewhere")

    assert store.hits.blob(APP, digest) is None
    assert store.hits.stat_blob(APP, digest) is None
