"""A collection while clients go on, and after a crash: whoever was answered with success finds what he was promised."""

import json
import os
import shutil
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from entrepot.driver import PathInvalid
from entrepot.drivers.filesystem import FilesystemDriver
from entrepot.oci.digest import Digest
from entrepot.oci.errors import BlobUnknown, ManifestUnknown
from entrepot.oci.names import RepositoryName, Tag
from entrepot.storage import layout
from entrepot.storage.evicted import Identity
from entrepot.storage.eviction import Eviction
from entrepot.storage.garbage import Collected, Garbage, Policy
from entrepot.storage.local import LocalRegistry, LocalRepository
from entrepot.storage.renewals import Renewals
from entrepot.storage.survey import Survey
from entrepot.storage.validation import Rules
from entrepot.testing.images import SampleManifest, artifact, image, index
from entrepot.testing.registry_contents import push, upload

APP = RepositoryName.parse("team/app")
HOUR = 3600.0
Act = Callable[[], Awaitable[object]]


class Interrupted(Eviction):
    """Does something else right before the first link is taken away."""

    act: Act | None = None

    async def remove_old_link(self, path: str, is_young: Callable[[float], bool]) -> bool:
        act, self.act = self.act, None
        if act is not None:
            await act()
        return await super().remove_old_link(path, is_young)


class Store:
    """A registry whose clients' finds are renewed, and whose content is ten hours old once `grow_old` was called."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        self.files = FilesystemDriver(str(root))
        self.registry = LocalRegistry(self.files, self.files, Rules(), renewals=Renewals(self.files, HOUR))

    @property
    def repository(self) -> LocalRepository:
        return self.registry.writer(APP)

    def grow_old(self) -> None:
        then = time.time() - 10 * HOUR
        for path in self.root.rglob("*"):
            if path.is_file():
                os.utime(path, (then, then), follow_symlinks=False)
        self.registry.renewals = Renewals(self.files, HOUR)

    async def collect(self, act: Act | None = None, *, untagged: bool = True) -> Collected:
        """Once; `act` is what a client does between the marking and the sweep."""

        async def wait(seconds: float) -> None:
            """Not at all."""

        remover = Interrupted(self.files, self.files, 2.0, wait)
        remover.act = act
        garbage: Garbage[Identity] = Garbage(
            self.files,
            remover,
            Survey(self.files, lambda _: True).pinned,
            Policy(HOUR, untagged=untagged),
            is_cached=lambda _: False,
            say=lambda _: None,
        )
        return await garbage.collect()

    async def holds(self, made: SampleManifest) -> bool:
        """Whether the manifest and all that it leads to can be pulled."""
        try:
            await self.repository.manifest(Digest.parse(made.digest))
            for blob in made.blobs:
                await self.repository.open_blob(Digest.parse(blob.digest))
        except (ManifestUnknown, BlobUnknown):
            return False
        return all([await self.holds(child) for child in made.children])

    async def tag(self, made: SampleManifest, tag: str) -> None:
        await self.repository.put_manifest(made.content, made.media_type, Tag.parse(tag), ())

    def path(self, place: str) -> Path:
        return Path(self.files.local_path(place))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty one."""
    return Store(tmp_path / "root")


USES: dict[str, Callable[[Store, SampleManifest], Awaitable[object]]] = {
    "it is tagged": lambda store, made: store.tag(made, "v2"),
    "it is pulled by digest": lambda store, made: store.repository.manifest(Digest.parse(made.digest)),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize("made", [image(2), index()], ids=["image", "index"])
async def test_an_untagged_manifest_that_is_used_meanwhile_stays_whole(
    store: Store, made: SampleManifest, use: Callable[[Store, SampleManifest], Awaitable[object]]
) -> None:
    """With its blobs, its manifests and theirs; what was not used goes."""
    other = image(1)
    for one in (made, other):
        await push(store.repository, one, "v1")
    await store.repository.untag(Tag.parse("v1"))
    store.grow_old()

    async def act() -> None:
        await use(store, made)

    await store.collect(act)

    assert await store.holds(made)
    assert not await store.holds(other)


async def test_what_is_pushed_again_meanwhile_keeps_its_old_blobs(store: Store) -> None:
    """Though nobody has asked for them: the push counts."""
    made, other = image(2), image(1)
    await push(store.repository, made, "v1")
    await push(store.repository, other, "v2")
    for one in (made, other):
        await store.repository.delete_manifest(Digest.parse(one.digest))
    store.grow_old()

    await store.collect(lambda: store.tag(made, "v1"), untagged=False)

    assert await store.holds(made)


async def test_a_referrer_that_is_pushed_again_meanwhile_is_listed(store: Store) -> None:
    """The links from subjects are no garbage then."""
    subject = image(1)
    referrer = artifact("application/vnd.example", subject=subject)
    for one in (subject, referrer):
        await push(store.repository, one, "v1")
    await store.repository.untag(Tag.parse("v1"))
    store.grow_old()

    await store.collect(lambda: store.tag(referrer, "v2"))

    page = await store.repository.referrers(Digest.parse(subject.digest), None, "", 10)
    assert [one.digest for one in page.items] == [referrer.digest]


async def test_a_manifest_of_an_unknown_type_keeps_what_it_names(store: Store) -> None:
    """Whatever the members are called in which it does."""
    media_type = "application/vnd.oci.artifact.manifest.v1+json"
    blob = (await upload(store.repository, b"payload")).digest
    body = json.dumps({"mediaType": media_type, "blobs": [{"mediaType": "a/b", "digest": blob, "size": 7}]})
    await store.repository.put_manifest(body.encode(), media_type, Tag.parse("v1"), ())
    store.grow_old()
    unneeded = (await upload(store.repository, b"unneeded")).digest
    store.grow_old()

    await store.collect()

    await store.repository.stat_blob(blob)
    with pytest.raises(BlobUnknown):
        await store.repository.stat_blob(unneeded)


def tear_tag(store: Store, made: SampleManifest) -> None:
    store.path(layout.tag_current(APP, Tag.parse("v1"))).write_bytes(b"")


def hide_tags(store: Store, made: SampleManifest) -> None:
    tags = store.path(layout.tags(APP))
    shutil.move(tags, store.root.parent / "tags")
    tags.symlink_to(store.root.parent / "tags")


def hide_revisions(store: Store, made: SampleManifest) -> None:
    revisions = store.path(f"{layout.manifests(APP)}/revisions")
    shutil.move(revisions, store.root.parent / "revisions")
    revisions.symlink_to(store.root.parent / "revisions")


def damage(store: Store, made: SampleManifest) -> None:
    store.path(layout.blob_data(Digest.parse(made.digest))).write_bytes(b"{}")


@pytest.mark.parametrize("hide", [tear_tag, hide_tags, damage])
async def test_what_cannot_be_read_may_need_anything(
    store: Store, hide: Callable[[Store, SampleManifest], None]
) -> None:
    """A tag, all tags, or an index: no manifest of the repository goes."""
    made = index()
    await push(store.repository, made, "v1")
    hide(store, made)
    store.grow_old()

    await store.collect()

    assert all([await store.holds(child) for child in made.children])


@pytest.mark.parametrize("untagged", [True, False])
async def test_manifests_that_cannot_be_listed_keep_all_blobs(store: Store, untagged: bool) -> None:
    """Nobody knows what they need."""
    made = image(2)
    await push(store.repository, made, "v1")
    hide_revisions(store, made)
    store.grow_old()

    await store.collect(untagged=untagged)

    for blob in made.blobs:
        await store.repository.stat_blob(Digest.parse(blob.digest))


async def test_a_repository_behind_a_symlink_ends_the_round(store: Store) -> None:
    """Nobody knows what it needs; a file that somebody has left there does not matter."""
    made = image(1)
    await push(store.repository, made, "v1")
    (store.root / "docker/registry/v2/repositories/stray").write_bytes(b"")
    store.grow_old()
    await store.collect()
    place = store.path(layout.repository(APP))
    shutil.move(place, store.root.parent / "away")
    place.symlink_to(store.root.parent / "away")

    with pytest.raises(PathInvalid):
        await store.collect()

    assert store.path(layout.blob_data(Digest.parse(made.digest))).exists()


@pytest.mark.parametrize("kind", ["manifest", "blob"])
async def test_a_link_that_a_killed_collection_has_taken_away_is_put_back(store: Store, kind: str) -> None:
    """Before anything is decided."""
    made = image(1)
    await push(store.repository, made, "v1")
    digest = Digest.parse(made.digest if kind == "manifest" else made.blobs[0].digest)
    link = store.path(layout.revision_link(APP, digest) if kind == "manifest" else layout.layer_link(APP, digest))
    store.grow_old()
    os.rename(link, f"{link}.leaving")

    await store.collect()

    assert await store.holds(made)


async def test_content_that_a_killed_collection_has_renamed_goes_or_comes_back(store: Store) -> None:
    """Whichever is right now."""
    made = image(1)
    await push(store.repository, made, "v1")
    unneeded = (await upload(store.repository, b"unneeded")).digest
    store.path(layout.layer_link(APP, unneeded)).unlink()
    store.grow_old()
    needed = Digest.parse(made.blobs[0].digest)
    for digest in (unneeded, needed):
        os.rename(store.path(layout.blob_data(digest)), store.path(layout.blob_evicted(digest)))

    await store.collect()

    assert await store.holds(made)
    assert not store.path(layout.blob_evicted(unneeded)).exists()


async def test_an_odd_entry_does_not_end_the_round(store: Store) -> None:
    """A directory where a link is looked at: what is next to it goes."""
    odd, other = [(await upload(store.repository, content)).digest for content in (b"odd", b"other")]
    store.path(f"{layout.layer_link(APP, odd)}.leaving").mkdir()
    (store.path(f"{layout.layer_link(APP, odd)}.leaving") / "file").touch()
    store.grow_old()

    await store.collect()

    assert not store.path(layout.blob_data(other)).exists()


async def test_a_mount_of_what_goes_meanwhile_is_none(store: Store) -> None:
    """The client uploads it then."""
    other = RepositoryName.parse("other")
    digest = (await upload(store.repository, b"content")).digest
    store.path(layout.blob_data(digest)).rename(store.path(layout.blob_evicted(digest)))

    assert await store.registry.writer(other).mount(digest, APP) is None
    with pytest.raises(BlobUnknown):
        await store.registry.writer(other).stat_blob(digest)
