"""The part of a registry's contract about reading: what a cache honours as well as a registry to push to."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

import pytest

from entrepot.content import GrowingFile, Stream
from entrepot.oci.digest import Digest
from entrepot.oci.errors import BlobUnknown, ManifestUnknown, RangeInvalid
from entrepot.oci.names import RepositoryName, Tag
from entrepot.registry import Registry, Repository
from entrepot.testing.images import (
    DOCKER,
    SampleBlob,
    SampleManifest,
    artifact,
    image,
    index,
    nested_index,
    random_blob,
)
from entrepot.testing.registry_contents import read_blob
from entrepot.wire.ranges import Span

MIB = 1 << 20

APP = RepositoryName.parse("library/app")
BELOW = RepositoryName.parse("library/app/below")
OTHER = RepositoryName.parse("other")
ABSENT = Digest.of(b"absent")
SBOM = "application/vnd.example.sbom"

SAMPLES: Mapping[str, Callable[[], SampleManifest]] = {
    "OCI image": lambda: image(2),
    "Docker image": lambda: image(2, DOCKER),
    "OCI index": index,
    "Docker list": lambda: index(form=DOCKER),
    "nested index": lambda: nested_index(3),
    "artifact": lambda: artifact(SBOM),
    "no layers": lambda: image(0),
    "empty layer": lambda: image([SampleBlob(b"", "application/vnd.oci.image.layer.v1.tar")]),
}


class Shelf(Protocol):
    """Puts what a registry is to be read for where it finds it, whatever way that is."""

    async def add_blob(self, name: RepositoryName, content: bytes) -> Digest:
        """Have a blob in a repository."""

    async def add_image(self, name: RepositoryName, made: SampleManifest, *tags: str) -> Digest:
        """Have a manifest, with all that belongs to it, in a repository, and point tags at it."""


class ReadingSuite:
    """The fixtures `registry` and `shelf` belong together, and begin empty."""

    pytestmark = pytest.mark.asyncio

    @pytest.fixture
    def repository(self, registry: Registry) -> Repository:
        """The repository that most tests read."""
        return registry.reader(APP)

    @pytest.mark.parametrize("sample", SAMPLES)
    async def test_a_manifest_is_the_bytes_that_were_put(
        self, repository: Repository, shelf: Shelf, sample: str
    ) -> None:
        """By tag and by digest, with all that it names; its descriptor says what it is."""
        made = SAMPLES[sample]()
        digest = await shelf.add_image(APP, made, "latest")

        assert await repository.resolve(Tag("latest")) == digest == made.digest
        for one in made.in_push_order():
            manifest = await repository.manifest(Digest.parse(one.digest))
            assert (manifest.digest, manifest.content, manifest.media_type) == (one.digest, one.content, one.media_type)
            assert manifest.descriptor.to_json().items() >= one.descriptor().items()
        for blob in made.all_blobs():
            assert await read_blob(await repository.open_blob(Digest.parse(blob.digest))) == blob.content

    async def test_a_tag_names_what_it_was_pointed_at_last(self, repository: Repository, shelf: Shelf) -> None:
        """Every time it is asked."""
        for made in (image(1), index(), image(1)):
            digest = await shelf.add_image(APP, made, "latest", "other")

            assert await repository.resolve(Tag("latest")) == await repository.resolve(Tag("other")) == digest

    @pytest.mark.parametrize("size", [0, 1, 1000, 64 * 1024, 64 * 1024 + 1, 3 * MIB + 7])
    async def test_a_blob_is_the_bytes_that_were_put(self, repository: Repository, shelf: Shelf, size: int) -> None:
        """Of any size, and as often as it is asked for."""
        content = os.urandom(size)
        digest = await shelf.add_blob(APP, content)

        descriptor = await repository.stat_blob(digest)
        assert (descriptor.digest, descriptor.size) == (digest, size)
        for _ in range(2):
            blob = await repository.open_blob(digest)
            assert (blob.descriptor, blob.span) == (descriptor, None)
            assert await read_blob(blob) == content

    @pytest.mark.parametrize("size", [1000, 3 * MIB])
    async def test_part_of_a_blob_is_what_the_reader_selects(
        self, repository: Repository, shelf: Shelf, size: int
    ) -> None:
        """By its size, which it is told; None is the whole."""
        content = os.urandom(size)
        digest = await shelf.add_blob(APP, content)
        told: set[int] = set()

        def select(span: Span | None, known: int) -> Span | None:
            told.add(known)
            return span

        for span in (Span(0, 1), Span(7, 999), Span(size - 1, size), Span(0, size), None):
            blob = await repository.open_blob(digest, partial(select, span))
            assert (blob.span, blob.descriptor.size) == (span, size)
            assert await read_blob(blob) == (content if span is None else content[span.start : span.stop])
        assert told == {size}

    @pytest.mark.parametrize("size", [0, 1000, 3 * MIB])
    async def test_what_the_selector_raises_is_raised(self, repository: Repository, shelf: Shelf, size: int) -> None:
        """And the blob can be read as before."""
        content = os.urandom(size)
        digest = await shelf.add_blob(APP, content)

        def refuse(known: int) -> Span | None:
            raise RangeInvalid({"size": known})

        for _ in range(2):
            with pytest.raises(RangeInvalid) as refused:
                await repository.open_blob(digest, refuse)
            assert refused.value.detail == {"size": size}
        assert await read_blob(await repository.open_blob(digest)) == content

    async def test_many_read_at_once(self, repository: Repository, shelf: Shelf) -> None:
        """Each all of it, whether or not others stop in the middle."""
        content = os.urandom(5 * MIB)
        digest = await shelf.add_blob(APP, content)

        async def leave() -> bytes:
            match (await repository.open_blob(digest)).body:
                case Stream(pieces) | GrowingFile(_, pieces):
                    await anext(pieces)
                    await pieces.aclose()
            return content

        async def stay() -> bytes:
            return await read_blob(await repository.open_blob(digest))

        assert await asyncio.gather(*(stay() if number % 2 else leave() for number in range(10))) == [content] * 10

    async def test_what_is_not_there_is_unknown(self, repository: Repository, shelf: Shelf) -> None:
        """In an unknown repository and in one that has other things; each thing by its own error."""
        for _ in range(2):
            for ask in (repository.stat_blob, repository.open_blob):
                with pytest.raises(BlobUnknown):
                    await ask(ABSENT)
            with pytest.raises(ManifestUnknown):
                await repository.manifest(ABSENT)
            with pytest.raises(ManifestUnknown):
                await repository.resolve(Tag("absent"))
            await shelf.add_image(APP, image(1), "latest")

    async def test_a_blob_is_no_manifest_and_a_manifest_no_blob(self, repository: Repository, shelf: Shelf) -> None:
        """Whatever their bytes are."""
        made = image(1)
        digest = await shelf.add_image(APP, made)
        blob = await shelf.add_blob(APP, index([]).content)

        with pytest.raises(BlobUnknown):
            await repository.stat_blob(digest)
        with pytest.raises(ManifestUnknown):
            await repository.manifest(blob)

    @pytest.mark.parametrize("elsewhere", [OTHER, BELOW, RepositoryName.parse("library")])
    async def test_a_repository_holds_its_own_and_nothing_else(
        self, registry: Registry, shelf: Shelf, elsewhere: RepositoryName
    ) -> None:
        """Whoever has read it meanwhile: to know a digest is no leave to read."""
        made = image(1)
        digest = await shelf.add_image(elsewhere, made, "latest")
        theirs, ours = registry.reader(elsewhere), registry.reader(APP)
        await theirs.manifest(await theirs.resolve(Tag("latest")))
        blobs = [Digest.parse(blob.digest) for blob in made.blobs]
        for blob in blobs:
            await read_blob(await theirs.open_blob(blob))

        with pytest.raises(ManifestUnknown):
            await ours.manifest(digest)
        with pytest.raises(ManifestUnknown):
            await ours.resolve(Tag("latest"))
        for blob in blobs:
            for ask in (ours.stat_blob, ours.open_blob):
                with pytest.raises(BlobUnknown):
                    await ask(blob)

    async def test_a_large_layer_comes_with_its_image(self, repository: Repository, shelf: Shelf) -> None:
        """A whole pull: tag, manifest, all blobs at once."""
        made = image([random_blob(2 * MIB, "application/vnd.oci.image.layer.v1.tar") for _ in range(4)])
        await shelf.add_image(APP, made, "latest")

        manifest = await repository.manifest(await repository.resolve(Tag("latest")))
        blobs = await asyncio.gather(
            *(repository.open_blob(one.digest) for one in manifest.parsed.layers if one.size == 2 * MIB)
        )

        assert [await read_blob(blob) for blob in blobs] == [blob.content for blob in made.blobs[1:]]
