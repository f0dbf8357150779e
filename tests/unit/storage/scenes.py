"""What is in a registry before an operation changes it."""

from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName, Tag
from entrepot.registry import Page
from entrepot.storage import layout
from entrepot.storage.local import LocalRegistry
from entrepot.testing.images import Extras, image, index, layer
from entrepot.testing.registry_contents import chunks, push, read_blob, upload

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
