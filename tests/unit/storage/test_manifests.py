"""Manifests: the bytes that came are the bytes that are served, or nothing is."""

import asyncio
import threading

import pytest

from entrepot.driver import Driver
from entrepot.oci.descriptor import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
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
from entrepot.storage.manifests import read_manifest
from entrepot.storage.validation import Rules
from entrepot.testing.images import (
    DOCKER,
    OCI,
    Form,
    SampleManifest,
    artifact,
    digest_of,
    image,
    image_of_size,
    index,
    nested_index,
)
from entrepot.testing.registry_contents import push, upload

APP, OTHER = RepositoryName.parse("library/app"), RepositoryName.parse("library/other")
LATEST = Tag.parse("latest")
UNKNOWN_TYPE = b'{ "mediaType" : "application/vnd.example.thing+json",\r\n "x": [1, 2,3], "\\u00e9": "caf\\u00e9" }\n\n'


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("form", [OCI, DOCKER])
async def test_what_came_is_what_is_served(registry: LocalRegistry, form: Form, algorithm: str) -> None:
    """Images and indexes, byte for byte, by both algorithms, with the type that they name."""
    repository = registry.writer(APP)
    pushed = index(
        [image(1, form, algorithm=algorithm), image(2, form, algorithm=algorithm)], form, algorithm=algorithm
    )
    await push(repository, pushed)

    for one in pushed.in_push_order():
        stored = await repository.manifest(Digest.parse(one.digest))
        assert (stored.content, stored.media_type, stored.digest) == (one.content, one.media_type, one.digest)
        assert await registry.driver.get(layout.blob_data(stored.digest)) == one.content


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (UNKNOWN_TYPE, "application/vnd.example.thing+json"),
        (b'{"schemaVersion":2,"manifests":[]}', OCI_INDEX),
        (b'\n{ "schemaVersion": 2,\t"manifests": [ ], "mediaType": "' + OCI_INDEX.encode() + b'" }', OCI_INDEX),
    ],
)
async def test_spaces_line_ends_and_unknown_members_are_kept(
    registry: LocalRegistry, content: bytes, media_type: str
) -> None:
    """Nothing is parsed and written again."""
    repository = registry.writer(APP)
    put = await repository.put_manifest(content, media_type, LATEST, ())

    stored = await repository.manifest(await repository.resolve(LATEST))

    assert (stored.content, stored.media_type) == (put.content, put.media_type) == (content, media_type)


async def test_a_manifest_belongs_to_its_repository(registry: LocalRegistry) -> None:
    """That the content is in the store gives nobody else leave to read it."""
    digest = await push(registry.writer(APP), image(1), "latest")

    with pytest.raises(ManifestUnknown):
        await registry.reader(OTHER).manifest(digest)
    with pytest.raises(ManifestUnknown):
        await registry.reader(OTHER).resolve(LATEST)
    await upload(registry.writer(OTHER), (await registry.reader(APP).manifest(digest)).content)
    with pytest.raises(ManifestUnknown):
        await registry.reader(OTHER).manifest(digest)


async def test_what_is_remembered_is_asked_of_the_store(registry: LocalRegistry, driver: Driver) -> None:
    """A manifest that was deleted, here, by another worker or by another program, is unknown at once."""
    repository, elsewhere = registry.writer(APP), LocalRegistry(driver, None, Rules()).writer(APP)
    digests = [await push(repository, image(1)) for _ in range(3)]
    for digest in digests:
        await repository.manifest(digest)

    await repository.delete_manifest(digests[0])
    await elsewhere.delete_manifest(digests[1])
    await driver.delete(layout.blob_data(digests[2]))

    for digest in digests:
        with pytest.raises(ManifestUnknown):
            await repository.manifest(digest)


DAMAGE = {
    "empty": b"",
    "cut short": b'{"schemaVersion":2,"conf',
    "NULs": bytes(500),
    "other": b'{"schemaVersion":2,"manifests":[]}',
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("was_read", [False, True])
async def test_a_damaged_manifest_is_unknown_until_it_is_pushed_again(
    registry: LocalRegistry, damage: bytes, was_read: bool
) -> None:
    """Also one that was read before the damage; its tag stays, and names it again when it is healed."""
    repository = registry.writer(APP)
    pushed = image(1)
    digest = await push(repository, pushed, "latest")
    if was_read:
        await repository.manifest(digest)
    await registry.driver.put(layout.blob_data(digest), damage)

    with pytest.raises(ManifestUnknown):
        await repository.manifest(digest)

    assert await repository.resolve(LATEST) == digest
    await push(registry.writer(OTHER), pushed)
    assert (await repository.manifest(digest)).content == pushed.content


async def test_a_flipped_bit_is_damage(registry: LocalRegistry) -> None:
    """Even where what is left is a valid manifest."""
    repository = registry.writer(APP)
    pushed = image(1).with_members(annotations={"a": "b"})
    digest = await push(repository, pushed)
    await registry.driver.put(layout.blob_data(digest), pushed.content.replace(b'"a":"b"', b'"a":"c"'))

    with pytest.raises(ManifestUnknown):
        await repository.manifest(digest)


async def test_the_largest_manifest_is_taken_and_a_larger_one_is_not(registry: LocalRegistry) -> None:
    """The bound is the spec's 4 MiB, to the byte."""
    repository = registry.writer(APP)
    largest = image_of_size(MANIFEST_LIMIT)
    digest = await push(repository, largest)
    assert (await repository.manifest(digest)).content == largest.content

    with pytest.raises(ManifestTooLarge):
        await repository.put_manifest(largest.content + b" ", OCI_MANIFEST, LATEST, ())


async def test_a_large_manifest_is_read_off_the_event_loop(registry: LocalRegistry) -> None:
    """While one of megabytes is hashed and parsed, other requests are answered."""
    large = image_of_size(3 << 20)
    ran_on: list[str] = []

    class Noting(bytes):
        """Bytes that note where they are decoded."""

        def decode(self, *arguments: str) -> str:
            ran_on.append(threading.current_thread().name)
            return super().decode(*arguments)

    for content in (large.content, image(1).content):
        await read_manifest(Noting(content), OCI_MANIFEST, Digest.of(content))

    assert len(ran_on) == 2
    assert ran_on[0] != threading.main_thread().name == ran_on[1]


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
