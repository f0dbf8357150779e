"""The part of a registry's contract about pushing manifests, mounting, and taking away."""

from __future__ import annotations

import asyncio

import pytest

from entrepot.oci.descriptor import DOCKER_MANIFEST, OCI_MANIFEST
from entrepot.oci.digest import Digest
from entrepot.oci.errors import (
    BlobUnknown,
    DigestInvalid,
    Errors,
    ManifestBlobUnknown,
    ManifestInvalid,
    ManifestUnknown,
)
from entrepot.oci.manifest import MANIFEST_LIMIT
from entrepot.oci.names import RepositoryName, Tag
from entrepot.registry import Page, Registry, WritableRepository
from entrepot.testing.images import artifact, image, image_of_size, index
from entrepot.testing.registry_contents import push, read_blob, upload
from entrepot.testing.registry_reading import ABSENT, APP, OTHER

LATEST = Tag("latest")


class WritingSuite:
    """The fixture `registry` begins empty."""

    pytestmark = pytest.mark.asyncio

    @pytest.fixture
    def writable(self, registry: Registry) -> WritableRepository:
        """The repository that is pushed to."""
        return registry.writer(APP)

    @pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
    async def test_a_manifest_is_put_by_digest_or_by_tag(self, writable: WritableRepository, algorithm: str) -> None:
        """With further tags, which all name it then."""
        made = image(1, algorithm=algorithm)
        await push(writable, made)
        by_digest = await writable.put_manifest(made.content, made.media_type, Digest.parse(made.digest), [LATEST])
        assert (by_digest.digest, by_digest.content) == (made.digest, made.content)
        assert await writable.resolve(LATEST) == made.digest

        by_tag = await writable.put_manifest(made.content, made.media_type, Tag("a"), [Tag("b"), Tag("c")])

        assert by_tag.digest == Digest.of(made.content)
        for tag in ("a", "b", "c"):
            assert await writable.resolve(Tag(tag)) == by_tag.digest
        assert (await writable.manifest(by_tag.digest)).content == made.content

    async def test_what_a_manifest_lacks_is_named(self, registry: Registry) -> None:
        """One error for each; what another repository has does not count, and nothing is kept."""
        made = index()
        await push(registry.writer(OTHER), made)
        writable = registry.writer(APP)

        for one, missing in ((made, 2), (made.children[0], 3)):
            with pytest.raises(Errors) as refused:
                await writable.put_manifest(one.content, one.media_type, LATEST, ())
            assert [type(error) for error in refused.value.errors] == [ManifestBlobUnknown] * missing
            with pytest.raises(ManifestUnknown):
                await writable.manifest(Digest.parse(one.digest))
        with pytest.raises(ManifestUnknown):
            await writable.resolve(LATEST)

    async def test_a_manifest_is_checked(self, writable: WritableRepository) -> None:
        """Its digest, its type, its form, its size."""
        made = image(1)
        await push(writable, made)

        with pytest.raises(DigestInvalid):
            await writable.put_manifest(made.content, made.media_type, ABSENT, [LATEST])
        for content, declared in ((made.content, DOCKER_MANIFEST), (b"{", OCI_MANIFEST), (b"[]", None), (b"", None)):
            with pytest.raises(ManifestInvalid):
                await writable.put_manifest(content, declared, LATEST, ())
        with pytest.raises(ManifestInvalid):
            await writable.put_manifest(image_of_size(MANIFEST_LIMIT + 1).content, OCI_MANIFEST, LATEST, ())
        with pytest.raises(ManifestUnknown):
            await writable.resolve(LATEST)

    async def test_a_deleted_manifest_takes_its_tags_along(self, writable: WritableRepository) -> None:
        """And no others; it can be pushed again."""
        kept, deleted = image(1), image(1)
        await push(writable, kept, "kept")
        digest = await push(writable, deleted, "a", "b")

        await writable.delete_manifest(digest)

        assert await writable.tags("", None) == Page(["kept"], more=False)
        with pytest.raises(ManifestUnknown):
            await writable.manifest(digest)
        with pytest.raises(ManifestUnknown):
            await writable.delete_manifest(digest)
        assert await writable.resolve(Tag("kept")) == kept.digest
        await push(writable, deleted, "a")
        assert await writable.resolve(Tag("a")) == digest

    async def test_a_deleted_child_leaves_its_index(self, writable: WritableRepository) -> None:
        """Whose bytes are what they were."""
        made = index()
        digest = await push(writable, made, "latest")
        child = Digest.parse(made.children[0].digest)

        await writable.delete_manifest(child)

        with pytest.raises(ManifestUnknown):
            await writable.manifest(child)
        assert (await writable.manifest(digest)).content == made.content

    async def test_a_deleted_referrer_is_listed_no_more(self, writable: WritableRepository) -> None:
        """While those of a deleted subject still are."""
        subject = image(1)
        await push(writable, subject)
        first, second = [await push(writable, artifact("a/b", subject=subject)) for _ in range(2)]

        await writable.delete_manifest(first)
        await writable.delete_manifest(Digest.parse(subject.digest))

        page = await writable.referrers(Digest.parse(subject.digest), None, "", 10)
        assert [descriptor.digest for descriptor in page.items] == [second]

    async def test_a_removed_tag_leaves_its_manifest(self, writable: WritableRepository) -> None:
        """And the other tags of it."""
        made = image(1)
        digest = await push(writable, made, "latest", "other")

        await writable.untag(LATEST)

        for ask in (writable.resolve, writable.untag):
            with pytest.raises(ManifestUnknown):
                await ask(LATEST)
        assert await writable.resolve(Tag("other")) == digest
        assert (await writable.manifest(digest)).content == made.content
        await push(writable, made, "latest")
        assert await writable.resolve(LATEST) == digest

    async def test_a_deleted_blob_is_gone_from_its_repository_only(self, registry: Registry) -> None:
        """However often others read it meanwhile; it can be pushed again."""
        digest = Digest.of(b"hello")
        for name in (APP, OTHER):
            await upload(registry.writer(name), b"hello")
        ours, theirs = registry.writer(APP), registry.reader(OTHER)

        await ours.delete_blob(digest)

        for _ in range(2):
            assert await read_blob(await theirs.open_blob(digest)) == b"hello"
            for ask in (ours.stat_blob, ours.open_blob, ours.delete_blob):
                with pytest.raises(BlobUnknown):
                    await ask(digest)
        await upload(ours, b"hello")
        assert await read_blob(await ours.open_blob(digest)) == b"hello"

    async def test_a_blob_is_mounted_from_where_it_may_be_read(self, registry: Registry) -> None:
        """From a named repository or from any; from nowhere else, and what nobody has is not mounted."""
        digest = (await upload(registry.writer(OTHER), b"hello")).digest
        writable = registry.writer(APP)

        for source in (APP, RepositoryName.parse("never")):
            assert await writable.mount(digest, source) is None
        assert await writable.mount(ABSENT, OTHER) is None
        assert await writable.mount(ABSENT, None) is None
        with pytest.raises(BlobUnknown):
            await writable.stat_blob(digest)

        assert await writable.mount(digest, OTHER) == await writable.stat_blob(digest)
        assert await registry.writer(RepositoryName.parse("any")).mount(digest, None) is not None
        assert await read_blob(await registry.reader(RepositoryName.parse("any")).open_blob(digest)) == b"hello"

    async def test_a_tag_set_by_many_at_once_names_one_of_theirs(self, writable: WritableRepository) -> None:
        """Whole, at any moment."""
        made = [index([]).with_members(annotations={"n": str(number)}) for number in range(20)]

        await asyncio.gather(*(writable.put_manifest(one.content, one.media_type, LATEST, ()) for one in made))

        digest = await writable.resolve(LATEST)
        assert (await writable.manifest(digest)).content in [one.content for one in made]
