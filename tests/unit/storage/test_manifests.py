"""Manifests: the bytes that came are the bytes that are served, or nothing is."""

import threading

import pytest

from entrepot.driver import Driver
from entrepot.oci.descriptor import OCI_INDEX, OCI_MANIFEST
from entrepot.oci.digest import Digest
from entrepot.oci.errors import (
    ManifestUnknown,
)
from entrepot.oci.names import RepositoryName, Tag
from entrepot.storage import layout
from entrepot.storage.local import LocalRegistry
from entrepot.storage.manifests import read_manifest
from entrepot.storage.validation import Rules
from entrepot.testing.images import (
    DOCKER,
    OCI,
    Form,
    image,
    image_of_size,
    index,
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
