"""Pushing and deleting manifests: what is checked before, what is set with them, and what goes when they go."""

import asyncio

import pytest

from entrepot.oci.descriptor import DOCKER_MANIFEST, OCI_MANIFEST
from entrepot.oci.digest import Digest
from entrepot.oci.errors import (
    DigestInvalid,
    Errors,
    ManifestBlobUnknown,
    ManifestInvalid,
    ManifestTooLarge,
    ManifestUnknown,
)
from entrepot.oci.manifest import MANIFEST_LIMIT
from entrepot.oci.names import RepositoryName, Tag
from entrepot.storage import layout
from entrepot.storage.local import LocalRegistry, LocalRepository
from entrepot.testing.images import (
    DOCKER,
    OCI,
    SampleManifest,
    artifact,
    digest_of,
    image,
    image_of_size,
    index,
    nested_index,
)
from entrepot.testing.registry_contents import push

APP, OTHER = RepositoryName.parse("library/app"), RepositoryName.parse("library/other")
LATEST = Tag.parse("latest")


async def test_the_largest_manifest_is_taken_and_a_larger_one_is_not(registry: LocalRegistry) -> None:
    """The bound is the spec's 4 MiB, to the byte."""
    repository = registry.writer(APP)
    largest = image_of_size(MANIFEST_LIMIT)
    digest = await push(repository, largest)
    assert (await repository.manifest(digest)).content == largest.content

    with pytest.raises(ManifestTooLarge):
        await repository.put_manifest(largest.content + b" ", OCI_MANIFEST, LATEST, ())


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
async def test_bytes_under_another_digest_are_refused(registry: LocalRegistry, algorithm: str) -> None:
    """Nothing of them is kept."""
    repository = registry.writer(APP)
    pushed = image(1)
    await push(repository, pushed)
    other = pushed.with_members(annotations={"a": "b"})
    wrong = Digest.parse(digest_of(b"something else", algorithm))

    with pytest.raises(DigestInvalid):
        await repository.put_manifest(other.content, other.media_type, wrong, [LATEST])

    with pytest.raises(ManifestUnknown):
        await repository.resolve(LATEST)
    assert not await registry.blobs.has(wrong)
    assert not await registry.blobs.has(Digest.parse(other.digest))


@pytest.mark.parametrize("reference", [LATEST, None])
async def test_all_tags_are_set_with_the_manifest(registry: LocalRegistry, reference: Tag | None) -> None:
    """The reference, where it is a tag, and whatever tags come along."""
    repository = registry.writer(APP)
    pushed = image(1)
    await push(repository, pushed)
    digest = Digest.parse(pushed.digest)
    extra = [Tag.parse(f"v{number}") for number in range(12)]

    await repository.put_manifest(pushed.content, pushed.media_type, reference or digest, extra)

    tags = sorted([*extra, *([reference] if reference else [])])
    assert (await repository.tags("", None)).items == tags
    assert {await repository.resolve(tag) for tag in tags} == {digest}


@pytest.mark.parametrize(
    ("made", "missing"),
    [
        (image(2), 3),
        (index(), 2),
        (nested_index(1), 1),
        (artifact("application/vnd.example.sbom"), 2),
        (image(2, DOCKER), 3),
    ],
)
async def test_everything_that_is_missing_is_named(registry: LocalRegistry, made: SampleManifest, missing: int) -> None:
    """One error for each, and nothing of the manifest is kept; what another repository holds does not count."""
    await push(registry.writer(OTHER), made)
    repository = registry.writer(APP)

    with pytest.raises(Errors) as refused:
        await repository.put_manifest(made.content, made.media_type, LATEST, ())

    assert [type(error) for error in refused.value.errors] == [ManifestBlobUnknown] * missing
    with pytest.raises(ManifestUnknown):
        await repository.manifest(Digest.parse(made.digest))
    with pytest.raises(ManifestUnknown):
        await repository.resolve(LATEST)


async def test_a_type_that_the_body_does_not_name_is_refused(registry: LocalRegistry) -> None:
    """The type that is served for ever is the one in the bytes."""
    repository = registry.writer(APP)
    pushed = image(1)
    await push(repository, pushed)

    with pytest.raises(ManifestInvalid):
        await repository.put_manifest(pushed.content, DOCKER_MANIFEST, LATEST, ())


async def test_deleting_takes_its_tags_first_and_no_others(registry: LocalRegistry) -> None:
    """All that named it, whatever it is called; a tag that moved on stays."""
    repository = registry.writer(APP)
    kept, deleted = image(1), image(1)
    await push(repository, deleted, "one", "two", "moved")
    await push(repository, kept, "kept", "moved")

    await repository.delete_manifest(Digest.parse(deleted.digest))

    assert (await repository.tags("", None)).items == ["kept", "moved"]
    with pytest.raises(ManifestUnknown):
        await repository.manifest(Digest.parse(deleted.digest))
    with pytest.raises(ManifestUnknown):
        await repository.delete_manifest(Digest.parse(deleted.digest))
    assert (await repository.manifest(Digest.parse(kept.digest))).content == kept.content


async def test_a_deleted_manifest_can_be_pushed_again(registry: LocalRegistry) -> None:
    """With its tags, and as the referrer that it is."""
    repository = registry.writer(APP)
    subject = image(1)
    signature = artifact("application/vnd.example.signature", subject=subject)
    await push(repository, subject)
    digest = await push(repository, signature, "latest")
    await repository.delete_manifest(digest)
    assert (await repository.referrers(Digest.parse(subject.digest), None, "", 10)).items == []

    await push(repository, signature, "latest")

    assert await repository.resolve(LATEST) == digest
    referrers = (await repository.referrers(Digest.parse(subject.digest), None, "", 10)).items
    assert [one.digest for one in referrers] == [digest]


async def test_a_manifest_that_distribution_wrote_is_deleted_too(registry: LocalRegistry) -> None:
    """It keeps no links from subjects; that there is none is no reason to fail."""
    repository = registry.writer(APP)
    subject = image(1)
    signature = artifact("application/vnd.example.signature", subject=subject)
    digest = await push(repository, signature)
    await registry.driver.delete(layout.referrer_link(APP, Digest.parse(subject.digest), digest))

    await repository.delete_manifest(digest)

    with pytest.raises(ManifestUnknown):
        await repository.manifest(digest)


async def test_many_manifests_at_once_each_get_their_answer(repository: LocalRepository) -> None:
    """A tag that a hundred clients set at once names one of theirs, whole, at any moment."""
    made = [index([], OCI).with_members(annotations={"n": str(number)}) for number in range(100)]
    digests = {Digest.parse(one.digest) for one in made}
    seen: set[Digest] = set()

    async def watch() -> None:
        while True:
            try:
                seen.add(await repository.resolve(LATEST))
            except ManifestUnknown:
                assert not seen
            await asyncio.sleep(0)

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(repository.put_manifest(one.content, one.media_type, LATEST, ()) for one in made))
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching

    assert seen <= digests
    assert await repository.resolve(LATEST) in digests
