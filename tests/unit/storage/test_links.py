"""Links that are not what they should be count as absent, and are healed by the next write."""

import asyncio

import pytest

from entrepot.driver import Driver, PathNotFound
from entrepot.drivers.filesystem import FilesystemDriver
from entrepot.oci.digest import Digest
from entrepot.oci.errors import BlobUnknown, ManifestUnknown
from entrepot.oci.names import RepositoryName, Tag
from entrepot.storage import layout
from entrepot.storage.hits import LocalHits
from entrepot.storage.links import read_link, write_link
from entrepot.storage.local import LocalRegistry
from entrepot.storage.validation import Rules
from entrepot.testing.images import image
from entrepot.testing.registry_contents import push, read_blob, upload

APP = RepositoryName.parse("library/app")
LATEST = Tag.parse("latest")
HELLO, OTHER = Digest.of(b"hello"), Digest.of(b"other")

DAMAGED = {
    "empty": b"",
    "newline": HELLO.encode() + b"\n",
    "half": HELLO.encode()[:40],
    "NULs": bytes(71),
    "upper case": HELLO.upper().encode(),
    "two": HELLO.encode() * 2,
    "other algorithm": b"sha1:" + b"0" * 40,
    "not ASCII": "sha256:\u0660".encode() + b"0" * 62,
    "binary": bytes(range(256)),
    "long": b"sha256:" + b"0" * 1_000_000,
}


@pytest.mark.parametrize("digest", [HELLO, Digest.of(b"hello", "sha512")])
async def test_a_link_is_its_digest_and_nothing_else(driver: Driver, digest: Digest) -> None:
    """What is written is what Distribution reads, and what is read again."""
    await write_link(driver, "/a/link", digest)

    assert await driver.get("/a/link") == digest.encode()
    assert await read_link(driver, "/a/link") == digest


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
async def test_a_damaged_link_is_none(driver: Driver, content: bytes) -> None:
    """Whatever a crash or another program left in it, it names nothing."""
    await driver.put("/a/link", content)

    with pytest.raises(PathNotFound):
        await read_link(driver, "/a/link")


async def test_no_link_and_a_directory_in_its_place_are_none(driver: Driver) -> None:
    """Absent is absent, in whatever way."""
    await driver.put("/a/link/file", b"")

    for path in ("/a/link", "/b/link"):
        with pytest.raises(PathNotFound):
            await read_link(driver, path)


@pytest.mark.parametrize("content", [*DAMAGED.values(), OTHER.encode()], ids=[*DAMAGED, "other content"])
async def test_a_blob_behind_a_damaged_link_is_unknown_until_it_is_pushed_again(
    registry: LocalRegistry, content: bytes
) -> None:
    """Never a body under a digest that it does not have, and a push makes it right."""
    repository = registry.writer(APP)
    await upload(repository, b"hello")
    await upload(repository, b"other")
    await registry.driver.put(layout.layer_link(APP, HELLO), content)

    for ask in (repository.stat_blob, repository.open_blob):
        with pytest.raises(BlobUnknown):
            await ask(HELLO)

    await upload(repository, b"hello")
    assert await read_blob(await repository.open_blob(HELLO)) == b"hello"


@pytest.mark.parametrize("content", [*DAMAGED.values(), OTHER.encode()], ids=[*DAMAGED, "other content"])
async def test_a_manifest_behind_a_damaged_link_is_unknown_until_it_is_pushed_again(
    registry: LocalRegistry, content: bytes
) -> None:
    """The same for manifests; an index does not take such a child either."""
    repository = registry.writer(APP)
    pushed = image(1)
    digest = await push(repository, pushed, "latest")
    await upload(repository, b"other")
    await registry.driver.put(layout.revision_link(APP, digest), content)

    with pytest.raises(ManifestUnknown):
        await repository.manifest(digest)
    assert not await registry.manifests.has(APP, digest)

    await push(repository, pushed)
    assert (await repository.manifest(digest)).content == pushed.content
    assert await registry.manifests.has(APP, digest)


async def test_a_link_to_another_manifest_serves_neither(registry: LocalRegistry) -> None:
    """A digest is answered by what hashes to it, not by what a link says."""
    repository = registry.writer(APP)
    one, other = [await push(repository, image(1)) for _ in range(2)]
    await registry.driver.put(layout.revision_link(APP, one), other.encode())

    with pytest.raises(ManifestUnknown):
        await repository.manifest(one)
    assert not await registry.manifests.has(APP, one)


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
async def test_a_damaged_tag_is_unknown_until_it_is_set_again(registry: LocalRegistry, content: bytes) -> None:
    """A tag that names no digest names nothing; it can be removed, too."""
    repository = registry.writer(APP)
    pushed = image(1)
    digest = await push(repository, pushed, "latest", "other")
    await registry.driver.put(layout.tag_current(APP, LATEST), content)

    with pytest.raises(ManifestUnknown):
        await repository.resolve(LATEST)
    assert await registry.tags.pointing_at(APP, digest) == ["other"]

    await push(repository, pushed, "latest")
    assert await repository.resolve(LATEST) == digest

    await registry.driver.put(layout.tag_current(APP, LATEST), content)
    await repository.untag(LATEST)
    assert (await repository.tags("", None)).items == ["other"]


async def test_a_link_to_other_content_is_no_hit_either(files: FilesystemDriver) -> None:
    """What is answered from memory keeps to the same rule."""
    registry = LocalRegistry(files, files, Rules())
    repository, hits = registry.writer(APP), LocalHits(files, files, registry.manifests)
    one, other = [await push(repository, image(1)) for _ in range(2)]
    for content in (b"hello", b"other"):
        await upload(repository, content)
    await files.put(layout.revision_link(APP, one), other.encode())
    await files.put(layout.layer_link(APP, HELLO), OTHER.encode())
    await asyncio.sleep(0.3)  # so that memory may hold what is read now
    await repository.manifest(other)
    await repository.open_blob(OTHER)
    for path in (layout.revision_link(APP, one), layout.layer_link(APP, HELLO)):
        await read_link(files, path)

    assert (hits.manifest(APP, one), hits.blob(APP, HELLO)) == (None, None)
    right = hits.blob(APP, OTHER)
    assert right is not None
    assert await read_blob(right.value) == b"other"
    assert hits.manifest(APP, other) is not None
