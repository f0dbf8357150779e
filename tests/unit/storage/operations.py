"""Every operation that changes a registry, as a client does it: what must be there before, the act, and its effect.

An act may be repeated after it failed half-way, as a client would repeat it, and then must succeed.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from entrepot.oci.digest import Digest
from entrepot.oci.errors import BlobUnknown, BlobUploadUnknown, DigestInvalid, ManifestUnknown, RangeInvalid
from entrepot.oci.names import RepositoryName, Tag
from entrepot.registry import Page
from entrepot.storage import layout
from entrepot.storage.links import read_link
from entrepot.storage.local import LocalRegistry
from entrepot.testing.images import Extras, image, index, layer
from entrepot.testing.registry_contents import chunks, push, read_blob, upload

Step = Callable[[LocalRegistry], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Operation:
    """`prepare` and `verify` run on a sound store, `act` on one that fails; `verify` asserts that the act is done."""

    prepare: Step
    act: Step
    verify: Step


WITNESS = RepositoryName.parse("library/witness")
APP = RepositoryName.parse("library/app")
LATEST, OTHER = Tag.parse("latest"), Tag.parse("other")
UPLOAD = "b5e5b2f0-7d0a-4b39-9a25-6f1de2f2f0aa"
CONTENT = bytes(range(256)) * 300
DIGEST = Digest.of(CONTENT)
HALF = len(CONTENT) // 2

SHARED = layer({"shared": b"by all images"})
OLD, NEW = image([SHARED]), image([SHARED])
SIGNATURE = index([], extras=Extras(subject=OLD))


async def prepare_witness(registry: LocalRegistry) -> None:
    """What no operation may touch."""
    await push(registry.writer(WITNESS), OLD, "latest")


async def verify_witness(registry: LocalRegistry) -> None:
    """It is all there."""
    repository = registry.reader(WITNESS)
    assert (await repository.manifest(await repository.resolve(LATEST))).content == OLD.content
    for blob in OLD.blobs:
        assert await read_blob(await repository.open_blob(Digest.parse(blob.digest))) == blob.content
    assert await repository.tags("", None) == Page(["latest"], more=False)


async def nothing(registry: LocalRegistry) -> None:
    """Nothing has to be there before."""


async def have_blobs(registry: LocalRegistry) -> None:
    """What the images need."""
    for blob in (*OLD.blobs, *NEW.blobs):
        await upload(registry.writer(APP), blob.content)


async def have_old(registry: LocalRegistry) -> None:
    """The old image under two tags, with a referrer, and the blobs of the new one."""
    await have_blobs(registry)
    await push(registry.writer(APP), OLD, LATEST, OTHER)
    await push(registry.writer(APP), SIGNATURE)


async def have_blob(registry: LocalRegistry) -> None:
    """A blob."""
    await upload(registry.writer(APP), CONTENT)


async def have_damaged_blob(registry: LocalRegistry) -> None:
    """A blob that lost its end."""
    await have_blob(registry)
    await registry.driver.put(layout.blob_data(DIGEST), b"")


async def have_upload(registry: LocalRegistry) -> None:
    """An upload without a byte."""
    await registry.driver.put(f"{layout.upload(APP, UPLOAD)}/startedat", b"2024-05-01T10:00:00Z")


async def have_half(registry: LocalRegistry) -> None:
    """An upload with half its bytes."""
    await have_upload(registry)
    await (await registry.writer(APP).resume_upload(UPLOAD)).append(chunks(CONTENT[:HALF]), 0, None)


async def have_all(registry: LocalRegistry) -> None:
    """An upload with all its bytes."""
    await have_half(registry)
    await (await registry.writer(APP).resume_upload(UPLOAD)).append(chunks(CONTENT[HALF:]), HALF, None)


async def start(registry: LocalRegistry) -> None:
    """Begin an upload."""
    await registry.writer(APP).start_upload("sha256")


async def append(registry: LocalRegistry) -> None:
    """Send what the upload says that it lacks; begin another where it is gone."""
    try:
        session = await registry.writer(APP).resume_upload(UPLOAD)
        offset = await session.offset()
        await session.append(chunks(CONTENT[offset : offset + 999], CONTENT[offset + 999 :]), offset, None)
    except BlobUploadUnknown:
        await have_all(registry)


async def commit(registry: LocalRegistry) -> None:
    """Commit an upload that is complete; where the store lost it, push the blob anew."""
    try:
        session = await registry.writer(APP).resume_upload(UPLOAD)
        await session.commit(DIGEST, chunks(), len(CONTENT), None)
    except (BlobUploadUnknown, RangeInvalid):
        await upload(registry.writer(APP), CONTENT)


async def commit_with_the_rest(registry: LocalRegistry) -> None:
    """Send the second half and commit in one go."""
    try:
        session = await registry.writer(APP).resume_upload(UPLOAD)
        offset = await session.offset()
        await session.commit(DIGEST, chunks(CONTENT[offset:]), offset, len(CONTENT) - offset)
    except BlobUploadUnknown:
        await upload(registry.writer(APP), CONTENT)


async def commit_wrongly(registry: LocalRegistry) -> None:
    """Commit under another digest."""
    with suppress(DigestInvalid, BlobUploadUnknown, RangeInvalid):
        session = await registry.writer(APP).resume_upload(UPLOAD)
        await session.commit(Digest.parse(SHARED.digest), chunks(), len(CONTENT), None)


async def cancel(registry: LocalRegistry) -> None:
    """Cancel an upload."""
    with suppress(BlobUploadUnknown):
        await (await registry.writer(APP).resume_upload(UPLOAD)).cancel()


async def upload_whole(registry: LocalRegistry) -> None:
    """Push a blob in one go."""
    await upload(registry.writer(APP), CONTENT)


async def mount(registry: LocalRegistry) -> None:
    """Mount the blobs of the witness's image."""
    for blob in OLD.blobs:
        assert await registry.writer(APP).mount(Digest.parse(blob.digest), WITNESS) is not None


async def put_new(registry: LocalRegistry) -> None:
    """Push the new image's manifest under two tags."""
    await registry.writer(APP).put_manifest(NEW.content, NEW.media_type, LATEST, [OTHER])


async def put_signature(registry: LocalRegistry) -> None:
    """Push a referrer, by its digest."""
    digest = Digest.parse(SIGNATURE.digest)
    await registry.writer(APP).put_manifest(SIGNATURE.content, SIGNATURE.media_type, digest, ())


async def untag(registry: LocalRegistry) -> None:
    """Remove a tag."""
    with suppress(ManifestUnknown):
        await registry.writer(APP).untag(LATEST)


async def delete_old(registry: LocalRegistry) -> None:
    """Delete the old image."""
    with suppress(ManifestUnknown):
        await registry.writer(APP).delete_manifest(Digest.parse(OLD.digest))


async def delete_signature(registry: LocalRegistry) -> None:
    """Delete a referrer."""
    with suppress(ManifestUnknown):
        await registry.writer(APP).delete_manifest(Digest.parse(SIGNATURE.digest))


async def delete_blob(registry: LocalRegistry) -> None:
    """Delete a blob."""
    with suppress(BlobUnknown):
        await registry.writer(APP).delete_blob(DIGEST)


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


OPERATIONS = {
    "start an upload": Operation(nothing, start, is_started),
    "append the first chunk": Operation(have_upload, append, is_complete),
    "append another chunk": Operation(have_half, append, is_complete),
    "commit": Operation(have_all, commit, is_pushed),
    "commit with the rest": Operation(have_half, commit_with_the_rest, is_pushed),
    "commit under a wrong digest": Operation(have_all, commit_wrongly, is_no_blob),
    "cancel an upload": Operation(have_half, cancel, is_dropped),
    "push a blob": Operation(nothing, upload_whole, is_pushed),
    "push a blob that is there": Operation(have_blob, upload_whole, is_pushed),
    "push a blob that is damaged": Operation(have_damaged_blob, upload_whole, is_pushed),
    "mount": Operation(nothing, mount, is_mounted),
    "push a manifest": Operation(have_blobs, put_new, is_tagged),
    "push a referrer": Operation(nothing, put_signature, is_signed),
    "move tags": Operation(have_old, put_new, is_tagged),
    "remove a tag": Operation(have_old, untag, is_untagged),
    "delete a manifest": Operation(have_old, delete_old, is_deleted),
    "delete a referrer": Operation(have_old, delete_signature, is_unsigned),
    "delete a blob": Operation(have_blob, delete_blob, is_unreadable),
}
