"""What a garbage collection removes, and above all what it leaves."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from entrepot.content import Blob
from entrepot.drivers.filesystem import FilesystemDriver
from entrepot.oci.digest import Digest
from entrepot.oci.errors import BlobUnknown, ManifestUnknown
from entrepot.oci.names import RepositoryName, Tag
from entrepot.storage import layout
from entrepot.storage.eviction import Eviction
from entrepot.storage.garbage import Collected, Garbage, Policy
from entrepot.storage.local import LocalRegistry, LocalRepository
from entrepot.storage.survey import Survey
from entrepot.storage.validation import Rules
from entrepot.testing.images import SampleManifest, artifact, image, index, random_blob
from entrepot.testing.registry_contents import push, upload
from tests.crash.layout_check import check, leftovers

APP, OTHER, CACHED = (RepositoryName.parse(name) for name in ("team/app", "other", "cached/app"))
HOUR = 3600.0


class Collection:
    """A registry on files, whose garbage is collected as it would be while it serves."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = FilesystemDriver(str(root))
        self.registry = LocalRegistry(self.files, self.files, Rules())
        self.said: list[str] = []
        self.during_pause: Callable[[], object] = lambda: None

    def repository(self, name: RepositoryName = APP) -> LocalRepository:
        return self.registry.writer(name)

    async def collect(self, *, age: float = 0.0, untagged: bool = False, dry_run: bool = False) -> Collected:
        async def pause(seconds: float) -> None:
            await asyncio.to_thread(self.during_pause)

        eviction = Eviction(self.files, self.files, 2.0, pause)
        garbage = Garbage(
            self.files,
            eviction,
            Survey(self.files, lambda _: True).pinned,
            Policy(age, untagged=untagged, dry_run=dry_run),
            is_cached=lambda name: name.startswith("cached/"),
            say=self.said.append,
            clock=lambda: time.time() + 1,
        )
        return await garbage.collect()

    def files_below(self) -> set[str]:
        return {str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file()}

    def has(self, digest: str) -> bool:
        """Whether the content is in the store."""
        return os.path.exists(self.files.local_path(layout.blob_data(Digest.parse(digest))))

    async def holds(self, made: SampleManifest, name: RepositoryName = APP) -> bool:
        """Whether the manifest and all that it needs can be pulled."""
        repository = self.repository(name)
        try:
            await repository.manifest(Digest.parse(made.digest))
            for blob in made.blobs:
                opened: Blob = await repository.open_blob(Digest.parse(blob.digest))
                assert opened.descriptor.size == len(blob.content)
        except (ManifestUnknown, BlobUnknown):
            return False
        return all([await self.holds(child, name) for child in made.children])


@pytest.fixture
async def collection(tmp_path: Path) -> AsyncIterator[Collection]:
    """An empty one."""
    made = Collection(tmp_path)
    yield made
    assert check(tmp_path, mirror=True) == []
    assert leftovers(tmp_path) == []
    made.files.close()


async def test_what_is_tagged_stays(collection: Collection) -> None:
    """With all it needs, in every repository."""
    made = [image([random_blob(10), random_blob(20)]), index([image([random_blob(30)]), image([random_blob(40)])])]
    for name in (APP, OTHER):
        for number, one in enumerate(made):
            await push(collection.repository(name), one, f"v{number}")
    before = collection.files_below()

    for untagged in (False, True):
        collected = await collection.collect(untagged=untagged)
        assert (collected.blobs, collected.manifests, collected.links, collected.size) == (0, 0, 0, 0)

    assert collection.files_below() == before


async def test_a_deleted_manifest_takes_with_it_what_nothing_else_needs(collection: Collection) -> None:
    """Not the layer that another manifest, or another repository, has as well."""
    shared, abroad, own = random_blob(100), random_blob(200), random_blob(300)
    gone, stays, other = image([shared, abroad, own]), image([shared]), image([abroad])
    await push(collection.repository(), gone, "gone")
    await push(collection.repository(), stays, "stays")
    await push(collection.repository(OTHER), other, "v1")
    await collection.repository().delete_manifest(Digest.parse(gone.digest))

    collected = await collection.collect()

    assert not collection.has(gone.digest)
    assert not collection.has(own.digest)
    assert await collection.holds(stays)
    assert await collection.holds(other, OTHER)
    config = gone.blobs[0] if gone.blobs[0] not in (shared, abroad, own) else gone.blobs[-1]
    assert collected.size == len(gone.content) + 300 + len(config.content)
    assert (collected.blobs, collected.links) == (3, 3)
    with pytest.raises(BlobUnknown):
        await collection.repository().open_blob(Digest.parse(abroad.digest))


async def test_without_being_asked_to_no_manifest_leaves(collection: Collection) -> None:
    """Who pulls by digest goes on with it."""
    first, second = image(1), image(1)
    await push(collection.repository(), first, "latest")
    await push(collection.repository(), second, "latest")

    assert (await collection.collect()).manifests == 0
    assert await collection.holds(first)


async def test_untagged_manifests_leave_where_that_is_asked(collection: Collection) -> None:
    """With the names that were left of them in the history of tags; not what an index or a referrer leads to."""
    old, new = image(1), image(1)
    platforms = index([image(1), image(1)])
    signature = artifact("application/vnd.example.signature", subject=platforms.children[0])
    orphan = artifact("application/vnd.example.signature", subject=old)
    for made, tags in ((old, ["latest"]), (new, ["latest"]), (platforms, ["multi"]), (signature, []), (orphan, [])):
        await push(collection.repository(), made, *tags)

    collected = await collection.collect(untagged=True)

    assert collected.manifests == 2
    assert not await collection.holds(old)
    assert not await collection.holds(orphan)
    for made in (new, platforms, signature):
        assert await collection.holds(made)
    history = list(
        (collection.root / "docker/registry/v2/repositories/team/app/_manifests/tags/latest/index").rglob("link")
    )
    assert [path.read_text() for path in history] == [new.digest]


async def test_a_dry_run_says_the_same_and_leaves_all(collection: Collection) -> None:
    """Line by line."""
    old, new = image(1), image(1)
    for made in (old, new):
        await push(collection.repository(), made, "latest")
    before = collection.files_below()

    tried = await collection.collect(untagged=True, dry_run=True)
    assert collection.files_below() == before
    said, collection.said = collection.said, []
    assert await collection.collect(untagged=True) == tried
    assert sorted(said) == sorted(collection.said)
    assert f"manifest eligible for deletion: {old.digest}" in said
    assert f"team/app: marking manifest {new.digest} " in said
    assert f"blob eligible for deletion: {old.digest}" in said


async def test_what_is_young_stays(collection: Collection) -> None:
    """Blobs that no manifest needs yet, manifests that have no tag yet, and content that has no link yet."""
    blob = random_blob(100)
    await upload(collection.repository(), blob.content, blob.algorithm)
    untagged = image(1)
    await push(collection.repository(), untagged)
    loose = Digest.of(b"loose")
    await collection.registry.blobs.put(loose, b"loose")
    before = collection.files_below()

    collected = await collection.collect(age=HOUR, untagged=True)

    assert (collected.blobs, collected.manifests, collected.links) == (0, 0, 0)
    assert collection.files_below() == before
    await collection.collect(untagged=True)
    assert not collection.has(blob.digest)
    assert not collection.has(loose)
    assert not collection.has(untagged.digest)


async def test_a_manifest_that_cannot_be_read_keeps_what_it_may_need(collection: Collection) -> None:
    """Nobody knows what that is until it is healed."""
    made = image([random_blob(100)])
    await push(collection.repository(), made, "v1")
    data = Path(collection.files.local_path(layout.blob_data(Digest.parse(made.digest))))
    content = data.read_bytes()
    data.write_bytes(b"{}")

    for untagged in (False, True):
        assert (await collection.collect(untagged=untagged)).blobs == 0

    data.write_bytes(content)
    assert await collection.holds(made)


async def test_content_that_comes_back_meanwhile_stays(collection: Collection) -> None:
    """A push that finds it, and links it while the collection is at it, has it."""
    made = image([random_blob(100)])
    await push(collection.repository(), made, "v1")
    await collection.repository().delete_manifest(Digest.parse(made.digest))

    collection.during_pause = lambda: asyncio.run(_push_again(collection.root, made))
    await collection.collect()

    assert await collection.holds(made)
    assert await collection.repository().resolve(Tag("v2")) == made.digest


async def _push_again(root: Path, made: SampleManifest) -> None:
    files = FilesystemDriver(str(root))
    await push(LocalRegistry(files, files, Rules()).writer(APP), made, "v2")
    files.close()


async def test_what_came_from_an_upstream_leaves_by_other_rules(collection: Collection) -> None:
    """Links without manifests are nothing strange in a cache."""
    blob, untagged = random_blob(100), image(1)
    await upload(collection.repository(CACHED), blob.content, blob.algorithm)
    await push(collection.repository(CACHED), untagged)
    before = collection.files_below()

    collected = await collection.collect(untagged=True)

    assert (collected.blobs, collected.manifests, collected.links) == (0, 0, 0)
    assert collection.files_below() == before


async def test_an_empty_registry_has_no_garbage(collection: Collection) -> None:
    """And is none the worse for it."""
    assert await collection.collect(untagged=True) == Collected()
