"""What is to be seen of an operation when it is done."""

from entrepot.oci.digest import Digest
from entrepot.oci.errors import BlobUnknown, BlobUploadUnknown, ManifestUnknown
from entrepot.storage import layout
from entrepot.storage.links import read_link
from entrepot.storage.local import LocalRegistry
from entrepot.testing.registry_contents import chunks, read_blob
from tests.unit.storage.scenes import APP, CONTENT, DIGEST, LATEST, NEW, OLD, OTHER, SHARED, SIGNATURE, UPLOAD


async def is_started(registry: LocalRegistry) -> None:
    """There is an upload, and it can be gone on with."""
    upload_id = (await registry.driver.list(layout.uploads(APP)))[-1]
    session = await registry.writer(APP).resume_upload(upload_id)
    await session.commit(DIGEST, chunks(CONTENT), 0, None)
    await is_pushed(registry)


async def is_complete(registry: LocalRegistry) -> None:
    """The upload has all bytes, in the right order."""
    await (await registry.writer(APP).resume_upload(UPLOAD)).commit(DIGEST, chunks(), len(CONTENT), None)
    await is_pushed(registry)


async def is_pushed(registry: LocalRegistry) -> None:
    """The blob is there, whole."""
    assert await read_blob(await registry.reader(APP).open_blob(DIGEST)) == CONTENT


async def is_dropped(registry: LocalRegistry) -> None:
    """The upload is gone, and was never a blob."""
    try:
        await registry.writer(APP).resume_upload(UPLOAD)
        raise AssertionError("the upload is still there")
    except BlobUploadUnknown:
        await is_no_blob(registry)


async def is_no_blob(registry: LocalRegistry) -> None:
    """Nobody can read what was sent, under whatever name."""
    assert not await registry.blobs.has(DIGEST)
    assert await registry.writer(APP).mount(Digest.parse(SHARED.digest), APP) is None


async def is_mounted(registry: LocalRegistry) -> None:
    """The blobs can be read here."""
    for blob in OLD.blobs:
        assert await read_blob(await registry.reader(APP).open_blob(Digest.parse(blob.digest))) == blob.content


async def is_new(registry: LocalRegistry) -> None:
    """Both tags name the new image."""
    repository = registry.reader(APP)
    for tag in (LATEST, OTHER):
        assert (await repository.manifest(await repository.resolve(tag))).content == NEW.content


async def is_signed(registry: LocalRegistry) -> None:
    """The referrer is there, and is listed."""
    found = await registry.reader(APP).referrers(Digest.parse(OLD.digest), None, "", 10)
    assert [one.digest for one in found.items] == [SIGNATURE.digest]


async def is_untagged(registry: LocalRegistry) -> None:
    """One tag is gone, the other names what it named."""
    repository = registry.reader(APP)
    assert (await repository.tags("", None)).items == ["other"]
    assert await repository.resolve(OTHER) == OLD.digest


async def is_deleted(registry: LocalRegistry) -> None:
    """The image is gone with its tags; its referrer is not."""
    repository = registry.reader(APP)
    assert (await repository.tags("", None)).items == []
    try:
        await repository.manifest(Digest.parse(OLD.digest))
        raise AssertionError("the manifest is still there")
    except ManifestUnknown:
        await is_signed(registry)


async def is_unsigned(registry: LocalRegistry) -> None:
    """The referrer is gone, the image is not."""
    repository = registry.reader(APP)
    assert (await repository.referrers(Digest.parse(OLD.digest), None, "", 10)).items == []
    assert await repository.resolve(LATEST) == OLD.digest


async def is_unreadable(registry: LocalRegistry) -> None:
    """The blob can not be read here any more; its content stays."""
    try:
        await registry.reader(APP).stat_blob(DIGEST)
        raise AssertionError("the blob is still there")
    except BlobUnknown:
        assert await registry.blobs.has(DIGEST)


async def is_tagged(registry: LocalRegistry) -> None:
    """Both tags have the new image in their history."""
    await is_new(registry)
    for tag in (LATEST, OTHER):
        digest = Digest.parse(NEW.digest)
        assert await read_link(registry.driver, layout.tag_index(APP, tag, digest)) == digest
