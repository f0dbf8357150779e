"""The part of a registry's contract about uploads: they grow at their end, and become a blob or nothing."""

from __future__ import annotations

import asyncio
import os
import re
import uuid
from collections.abc import AsyncIterator

import pytest

from entrepot.oci.digest import Digest
from entrepot.oci.errors import (
    BlobUnknown,
    BlobUploadBusy,
    BlobUploadUnknown,
    DigestInvalid,
    RangeInvalid,
    SizeInvalid,
)
from entrepot.registry import Registry, WritableRepository
from entrepot.testing.registry_contents import chunks, read_blob, upload
from entrepot.testing.registry_reading import APP, OTHER

MIB = 1 << 20


class UploadSuite:
    """The fixture `registry` begins empty."""

    pytestmark = pytest.mark.asyncio

    @pytest.fixture
    def writable(self, registry: Registry) -> WritableRepository:
        """The repository that is pushed to."""
        return registry.writer(APP)

    @pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
    @pytest.mark.parametrize("sizes", [[0], [5], [0, 5, 0], [1] * 20, [MIB, 2 * MIB, 3]], ids=str)
    async def test_an_upload_grows_and_becomes_a_blob(
        self, writable: WritableRepository, sizes: list[int], algorithm: str
    ) -> None:
        """Each append says where it stands; the last bytes may come with the commit."""
        parts = [os.urandom(size) for size in sizes]
        content = b"".join(parts)
        session = await writable.start_upload(algorithm)
        offset = 0
        for part in parts[:-1]:
            resumed = await writable.resume_upload(session.id)
            assert (await resumed.offset(), resumed.started_at) == (offset, session.started_at)
            offset = await resumed.append(chunks(part), offset, len(part))
        digest = Digest.of(content, algorithm)
        descriptor = await session.commit(digest, chunks(parts[-1]), offset, None)

        assert descriptor == await writable.stat_blob(digest)
        assert await read_blob(await writable.open_blob(digest)) == content
        with pytest.raises(BlobUploadUnknown):
            await writable.resume_upload(session.id)

    async def test_a_session_is_a_random_uuid_and_a_time(self, writable: WritableRepository) -> None:
        """As both are written in Distribution's directories."""
        sessions = [await writable.start_upload("sha256") for _ in range(5)]

        assert len({uuid.UUID(session.id) for session in sessions}) == 5
        for session in sessions:
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", session.started_at)

    @pytest.mark.parametrize("at", [0, 4, 6])
    async def test_a_chunk_begins_where_the_upload_ends(self, writable: WritableRepository, at: int) -> None:
        """Any other is refused with what is there, and changes nothing."""
        session = await writable.start_upload("sha256")
        await session.append(chunks(b"hello"), 0, None)

        with pytest.raises(RangeInvalid) as refused:
            await session.append(chunks(b"x"), at, None)
        assert dict(refused.value.headers)["range"] == "0-4"
        with pytest.raises(RangeInvalid):
            await session.commit(Digest.of(b"hellox"), chunks(b"x"), at, None)

        assert await session.offset() == 5
        await session.commit(Digest.of(b"hello"), chunks(), 5, None)

    @pytest.mark.parametrize("pieces", [[], [b"abc"], [b"abcde"], [b"abc", b"de"]], ids=str)
    async def test_a_chunk_has_the_length_it_promises(self, writable: WritableRepository, pieces: list[bytes]) -> None:
        """Else all of it is dropped."""
        session = await writable.start_upload("sha256")
        await session.append(chunks(b"hello"), 0, 5)

        with pytest.raises(SizeInvalid):
            await session.append(chunks(*pieces), 5, 4)

        assert await session.offset() == 5
        await session.commit(Digest.of(b"hello1234"), chunks(b"12", b"34"), 5, 4)

    async def test_what_came_before_a_failure_is_kept(self, writable: WritableRepository) -> None:
        """The offset is the truth, and what is sent from there on completes it."""

        async def failing() -> AsyncIterator[bytes]:
            yield b"hel"
            raise ConnectionError

        session = await writable.start_upload("sha256")
        with pytest.raises(ConnectionError):
            await session.append(failing(), 0, None)

        offset = await session.offset()
        assert b"hel"[:offset] == b"hello"[:offset]
        await session.commit(Digest.of(b"hello"), chunks(b"hello"[offset:]), offset, None)
        assert await read_blob(await writable.open_blob(Digest.of(b"hello"))) == b"hello"

    async def test_one_writes_at_a_time(self, writable: WritableRepository) -> None:
        """Whoever comes second waits, or is told, and never mixes his bytes in."""
        session = await writable.start_upload("sha256")
        begun, pause = asyncio.Event(), asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            begun.set()
            await pause.wait()
            yield b"hello"

        first = asyncio.create_task(session.append(slow(), 0, None))
        await begun.wait()
        second = asyncio.create_task((await writable.resume_upload(session.id)).append(chunks(b"HELLO"), 0, None))
        await asyncio.sleep(0)
        pause.set()

        assert await first == 5
        with pytest.raises((RangeInvalid, BlobUploadBusy)):
            await second
        await session.commit(Digest.of(b"hello"), chunks(), 5, None)

    @pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
    async def test_a_wrong_digest_ends_the_upload(self, registry: Registry, algorithm: str) -> None:
        """What it was called stays what it is, and nobody gets to read what was sent."""
        await upload(registry.writer(OTHER), b"hello", algorithm)
        digest = Digest.of(b"hello", algorithm)
        session = await registry.writer(APP).start_upload(algorithm)

        with pytest.raises(DigestInvalid):
            await session.commit(digest, chunks(b"HELLO"), 0, None)

        with pytest.raises(BlobUploadUnknown):
            await registry.writer(APP).resume_upload(session.id)
        for unknown in (digest, Digest.of(b"HELLO", algorithm)):
            with pytest.raises(BlobUnknown):
                await registry.reader(APP).stat_blob(unknown)
        assert await read_blob(await registry.reader(OTHER).open_blob(digest)) == b"hello"

    @pytest.mark.parametrize("begun", ["sha256", "sha512"])
    @pytest.mark.parametrize("committed", ["sha256", "sha512"])
    async def test_the_commit_names_the_algorithm(
        self, writable: WritableRepository, begun: str, committed: str
    ) -> None:
        """Whatever the upload was begun with."""
        session = await writable.start_upload(begun)
        await session.append(chunks(b"hel"), 0, None)

        digest = Digest.of(b"hello", committed)
        await session.commit(digest, chunks(b"lo"), 3, None)

        assert await read_blob(await writable.open_blob(digest)) == b"hello"

    async def test_a_cancelled_upload_is_gone(self, writable: WritableRepository) -> None:
        """For who holds it, too; the blob was never there."""
        session = await writable.start_upload("sha256")
        await session.append(chunks(b"hello"), 0, None)
        await session.cancel()

        for ask in (session.cancel, session.offset):
            with pytest.raises(BlobUploadUnknown):
                await ask()
        with pytest.raises(BlobUploadUnknown):
            await session.append(chunks(b"x"), 5, None)
        with pytest.raises(BlobUploadUnknown):
            await writable.resume_upload(session.id)
        with pytest.raises(BlobUnknown):
            await writable.stat_blob(Digest.of(b"hello"))

    @pytest.mark.parametrize("upload_id", ["", "..", "a/b", "x", "00000000-0000-4000-8000-000000000000", "\0"])
    async def test_an_unknown_session_is_unknown(self, registry: Registry, upload_id: str) -> None:
        """Also one of another repository."""
        session = await registry.writer(OTHER).start_upload("sha256")

        for unknown in (upload_id, session.id):
            with pytest.raises(BlobUploadUnknown):
                await registry.writer(APP).resume_upload(unknown)

    async def test_many_push_the_same_blob(self, registry: Registry) -> None:
        """At once, into one repository and into another: all succeed, and it is what it is."""
        content = os.urandom(100_000)
        writers = [registry.writer(name) for name in (APP, OTHER) for _ in range(10)]

        await asyncio.gather(*(upload(writer, content) for writer in writers))

        for name in (APP, OTHER):
            assert await read_blob(await registry.reader(name).open_blob(Digest.of(content))) == content
