"""Every operation that changes a registry, as a client does it: what must be there before, the act, and its effect.

An act may be repeated after it failed half-way, as a client would repeat it, and then must succeed.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from entrepot.oci.digest import Digest
from entrepot.oci.errors import BlobUnknown, BlobUploadUnknown, DigestInvalid, ManifestUnknown, RangeInvalid
from entrepot.storage.local import LocalRegistry
from entrepot.testing.registry_contents import chunks, upload
from tests.unit.storage.effects import (
    is_complete,
    is_deleted,
    is_dropped,
    is_mounted,
    is_no_blob,
    is_pushed,
    is_signed,
    is_started,
    is_tagged,
    is_unreadable,
    is_unsigned,
    is_untagged,
)
from tests.unit.storage.scenes import (
    APP,
    CONTENT,
    DIGEST,
    LATEST,
    NEW,
    OLD,
    OTHER,
    SHARED,
    SIGNATURE,
    UPLOAD,
    WITNESS,
    have_all,
    have_blob,
    have_blobs,
    have_damaged_blob,
    have_half,
    have_old,
    have_upload,
    nothing,
)

Step = Callable[[LocalRegistry], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Operation:
    """`prepare` and `verify` run on a sound store, `act` on one that fails; `verify` asserts that the act is done."""

    prepare: Step
    act: Step
    verify: Step


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
