"""Blobs: read by whoever holds a link to them, in the cheapest form there is, and made right by the next push."""

import os
from functools import partial

import pytest

from entrepot.content import Bytes, LocalFile, Stream
from entrepot.driver import Driver, PathNotFound
from entrepot.drivers.filesystem import FilesystemDriver
from entrepot.oci.digest import Digest
from entrepot.oci.errors import BlobUnknown, RangeInvalid
from entrepot.oci.names import RepositoryName
from entrepot.storage import layout
from entrepot.storage.blobs import SMALL
from entrepot.storage.links import read_link, write_link
from entrepot.storage.local import LocalRegistry
from entrepot.storage.validation import Rules
from entrepot.testing.registry_contents import read_blob, read_body, upload
from entrepot.wire.ranges import Span

APP, OTHER, THIRD = (RepositoryName.parse(name) for name in ("library/app", "library/app/other", "third"))
HELLO, HELLO512 = Digest.of(b"hello"), Digest.of(b"hello", "sha512")
EMPTY = Digest.of(b"")
ABSENT = Digest.of(b"absent")


@pytest.mark.parametrize("size", [0, 1, SMALL - 1, SMALL, SMALL + 1, 3 * SMALL])
@pytest.mark.parametrize("has_paths", [False, True])
async def test_a_blob_is_described_in_the_cheapest_form(files: FilesystemDriver, size: int, has_paths: bool) -> None:
    """Small ones as bytes, large ones by their path where the driver has one; either way they are what was pushed."""
    repository = LocalRegistry(files, files if has_paths else None, Rules()).writer(APP)
    content = os.urandom(size)
    digest = (await upload(repository, content)).digest

    blob = await repository.open_blob(digest)

    large = LocalFile if has_paths else Stream
    assert isinstance(blob.body, Bytes if size <= SMALL else large)
    assert await read_blob(blob) == content
    assert (blob.descriptor, blob.span) == (await repository.stat_blob(digest), None)


@pytest.mark.parametrize("size", [1000, 3 * SMALL])
@pytest.mark.parametrize("has_paths", [False, True])
@pytest.mark.parametrize("remembered", [0, 10])
async def test_part_of_a_blob_is_chosen_once_its_size_is_known(
    files: FilesystemDriver, size: int, has_paths: bool, remembered: int
) -> None:
    """What the chooser returns is what is sent, None is the whole; what it raises goes to whoever asked."""
    repository = LocalRegistry(files, files if has_paths else None, Rules(), remembered).writer(APP)
    content = os.urandom(size)
    digest = (await upload(repository, content)).digest
    asked: set[int] = set()

    def choose(span: Span | None, known: int) -> Span | None:
        asked.add(known)
        return span

    def refuse(known: int) -> Span | None:
        asked.add(known)
        raise RangeInvalid

    for span in (Span(0, 1), Span(10, 999), Span(size - 1, size), Span(0, size), None):
        for _ in range(2):  # as something that was never seen, and as something remembered
            blob = await repository.open_blob(digest, partial(choose, span))
            assert (blob.span, blob.descriptor.size) == (span, size)
            assert await read_blob(blob) == (content if span is None else content[span.start : span.stop])
    with pytest.raises(RangeInvalid):
        await repository.open_blob(digest, refuse)
    assert asked == {size}


async def test_a_blob_is_read_through_an_alias_of_distributions(registry: LocalRegistry) -> None:
    """A commit by sha512 there leaves a sha512 link that holds the sha256 text, and the content under sha256 only."""
    repository = registry.writer(APP)
    await upload(repository, b"hello")
    await write_link(registry.driver, layout.layer_link(APP, HELLO512), HELLO)

    blob = await repository.open_blob(HELLO512)

    assert await read_blob(blob) == b"hello"
    assert blob.descriptor == await repository.stat_blob(HELLO512)
    assert blob.descriptor.digest == HELLO


@pytest.mark.parametrize(
    ("asked", "named"), [(HELLO, HELLO512), (HELLO, ABSENT), (HELLO512, Digest.of(b"absent", "sha512"))]
)
async def test_no_other_link_is_an_alias(registry: LocalRegistry, asked: Digest, named: Digest) -> None:
    """A link that names something else in the same algorithm, or a sha256 that names a sha512, is damaged."""
    repository = registry.writer(APP)
    for content in (b"hello", b"absent"):
        for algorithm in ("sha256", "sha512"):
            await upload(repository, content, algorithm)
    await registry.driver.put(layout.layer_link(APP, asked), named.encode())

    with pytest.raises(BlobUnknown):
        await repository.open_blob(asked)
    with pytest.raises(BlobUnknown):
        await repository.stat_blob(asked)


async def test_a_link_without_its_content_is_none(registry: LocalRegistry) -> None:
    """What another program deleted is unknown, not empty."""
    repository = registry.writer(APP)
    await upload(repository, b"hello")
    await registry.driver.delete(layout.blob_data(HELLO))

    for ask in (repository.stat_blob, repository.open_blob, repository.delete_blob):
        with pytest.raises(BlobUnknown):
            await ask(HELLO)
    assert await repository.mount(HELLO, APP) is None
    assert await repository.mount(HELLO, None) is None


@pytest.mark.parametrize("damage", [b"", b"hell", b"hello again", b"jello", bytes(5)])
async def test_a_push_replaces_damaged_content(registry: LocalRegistry, damage: bytes) -> None:
    """Whoever pushes the blob again, anywhere, gets it right for everybody."""
    await upload(registry.writer(APP), b"hello")
    await registry.driver.put(layout.blob_data(HELLO), damage)

    await upload(registry.writer(OTHER), b"hello")

    for name in (APP, OTHER):
        assert await read_blob(await registry.reader(name).open_blob(HELLO)) == b"hello"


@pytest.mark.parametrize("size", [SMALL + 1, 9 << 20])
async def test_content_that_was_cut_short_is_served_whole_once_it_is_healed(files: FilesystemDriver, size: int) -> None:
    """What a registry remembers of a digest does not outlive the damage, in whatever worker it was healed."""
    seen = LocalRegistry(files, files, Rules(), 10).writer(APP)
    healing = LocalRegistry(files, files, Rules()).writer(OTHER)
    content = os.urandom(size)
    digest = (await upload(seen, content)).digest
    await files.put(layout.blob_data(digest), content[:100])
    assert await read_body((await seen.open_blob(digest)).body) == content[:100]

    await upload(healing, content)

    blob = await seen.open_blob(digest, lambda whole: Span(whole - 10, whole))
    assert await read_blob(blob) == content[-10:]
    assert isinstance((await seen.open_blob(digest)).body, LocalFile)


async def test_who_reads_is_not_disturbed_by_a_push_or_a_delete(registry: LocalRegistry) -> None:
    """An answer that has begun ends with the bytes it began with."""
    repository = registry.writer(APP)
    content = os.urandom(3 << 20)
    digest = (await upload(repository, content)).digest
    blob = await repository.open_blob(digest)
    assert isinstance(blob.body, Stream)
    begun = await anext(blob.body.chunks)

    await upload(repository, content)
    await repository.delete_blob(digest)

    assert bytes(begun) + await read_body(blob.body) == content


async def test_delete_takes_the_link_and_nothing_else(registry: LocalRegistry) -> None:
    """Other repositories keep reading, and the content stays until it is collected."""
    for name in (APP, OTHER):
        await upload(registry.writer(name), b"hello")

    await registry.writer(APP).delete_blob(HELLO)

    for ask in (registry.reader(APP).stat_blob, registry.reader(APP).open_blob, registry.writer(APP).delete_blob):
        with pytest.raises(BlobUnknown):
            await ask(HELLO)
    assert await read_blob(await registry.reader(OTHER).open_blob(HELLO)) == b"hello"
    assert await registry.blobs.has(HELLO)


@pytest.mark.parametrize("source", [APP, None])
@pytest.mark.parametrize("digest", [HELLO, EMPTY])
async def test_a_mount_links_what_may_be_read(
    registry: LocalRegistry, source: RepositoryName | None, digest: Digest
) -> None:
    """From a repository that has it, or from anywhere where none is named; no byte is copied."""
    content = b"hello" if digest == HELLO else b""
    await upload(registry.writer(APP), content)

    mounted = await registry.writer(OTHER).mount(digest, source)

    assert mounted == await registry.reader(OTHER).stat_blob(digest)
    assert await read_link(registry.driver, layout.layer_link(OTHER, digest)) == digest


@pytest.mark.parametrize(
    ("digest", "source"),
    [(HELLO, OTHER), (HELLO, THIRD), (ABSENT, APP), (ABSENT, None), (HELLO512, None), (HELLO512, APP)],
)
async def test_a_mount_of_what_may_not_be_read_links_nothing(
    registry: LocalRegistry, digest: Digest, source: RepositoryName | None
) -> None:
    """A repository without the link gives nothing, though the content is in the store."""
    await upload(registry.writer(APP), b"hello")

    assert await registry.writer(THIRD).mount(digest, source) is None

    with pytest.raises(PathNotFound):
        await registry.driver.get(layout.layer_link(THIRD, digest))


async def test_a_mounted_alias_can_be_read_by_both_names(registry: LocalRegistry) -> None:
    """The answer names the sha256; what it names must be there."""
    await upload(registry.writer(APP), b"hello")
    await write_link(registry.driver, layout.layer_link(APP, HELLO512), HELLO)

    mounted = await registry.writer(OTHER).mount(HELLO512, APP)

    assert mounted is not None
    for digest in (HELLO, HELLO512, mounted.digest):
        assert await read_blob(await registry.reader(OTHER).open_blob(digest)) == b"hello"


async def test_the_two_algorithms_are_two_blobs(driver: Driver, registry: LocalRegistry) -> None:
    """A sha512 push lies under sha512, where Distribution's collection spares it, and answers no sha256."""
    repository = registry.writer(APP)
    await upload(repository, b"hello", "sha512")

    assert await driver.get(layout.blob_data(HELLO512)) == b"hello"
    assert await read_link(driver, layout.layer_link(APP, HELLO512)) == HELLO512
    assert await read_blob(await repository.open_blob(HELLO512)) == b"hello"
    with pytest.raises(BlobUnknown):
        await repository.stat_blob(HELLO)


async def test_what_nobody_may_read_any_more_is_not_mounted(registry: LocalRegistry) -> None:
    """That the content is still in the store is no leave to read it: whoever deleted it meant it."""
    await upload(registry.writer(APP), b"hello")
    await registry.writer(APP).delete_blob(HELLO)

    for source in (APP, OTHER, None):
        assert await registry.writer(THIRD).mount(HELLO, source) is None
