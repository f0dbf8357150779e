"""Upload sessions grow at their end, by what a client promises, and end in a blob or in nothing."""

import asyncio
import os
import re
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from entrepot.driver import Driver, NoSpace, PathNotFound
from entrepot.drivers.memory import MemoryDriver
from entrepot.oci.digest import Digest
from entrepot.oci.errors import (
    BlobTooLarge,
    BlobUnknown,
    BlobUploadUnknown,
    DigestInvalid,
    RangeInvalid,
    SizeInvalid,
    TooManyRequests,
)
from entrepot.oci.names import RepositoryName
from entrepot.storage import layout
from entrepot.storage.allowance import Allowance
from entrepot.storage.local import LocalRegistry, LocalRepository
from entrepot.storage.validation import Rules
from entrepot.testing.registry_contents import chunks, read_blob, upload

APP, OTHER = RepositoryName.parse("library/app"), RepositoryName.parse("library/other")
MIB = 1 << 20


@pytest.mark.parametrize("sizes", [[0], [1], [5, 0, 7], [1] * 50, [MIB, 3 * MIB, 17]], ids=str)
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
async def test_an_upload_grows_by_appends_and_becomes_a_blob(
    repository: LocalRepository, sizes: list[int], algorithm: str
) -> None:
    """Each append answers where it stands; the commit may bring the last bytes, and names the blob."""
    parts = [os.urandom(size) for size in sizes]
    session = await repository.start_upload(algorithm)
    assert await session.offset() == 0

    offset = 0
    for part in parts[:-1]:
        offset = await session.append(chunks(part), offset, len(part))
        assert await session.offset() == offset
    content = b"".join(parts)
    digest = Digest.of(content, algorithm)
    descriptor = await session.commit(digest, chunks(parts[-1]), offset, len(parts[-1]))

    assert descriptor == await repository.stat_blob(digest)
    assert await read_blob(await repository.open_blob(digest)) == content
    with pytest.raises(BlobUploadUnknown):
        await repository.resume_upload(session.id)


async def test_a_session_is_known_by_a_random_uuid_and_the_time_it_began(repository: LocalRepository) -> None:
    """As Distribution writes them, so that its purging finds old ones."""
    before = datetime.now(UTC) - timedelta(seconds=1)
    sessions = [await repository.start_upload("sha256") for _ in range(3)]

    assert len({session.id for session in sessions}) == 3
    for session in sessions:
        assert uuid.UUID(session.id).version == 4
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", session.started_at)
        assert before <= datetime.fromisoformat(session.started_at) <= datetime.now(UTC)
        assert (await repository.resume_upload(session.id)).started_at == session.started_at


@pytest.mark.parametrize("at", [1, 4, 6, 10**18])
async def test_a_chunk_must_begin_where_the_upload_ends(repository: LocalRepository, at: int) -> None:
    """A gap, an overlap or a chunk sent twice is refused with the range that is there, and changes nothing."""
    session = await repository.start_upload("sha256")
    await session.append(chunks(b"hello"), 0, None)

    with pytest.raises(RangeInvalid) as refused:
        await session.append(chunks(b"again"), at, None)
    with pytest.raises(RangeInvalid):
        await session.commit(Digest.of(b"helloagain"), chunks(b"again"), at, None)

    assert refused.value.headers == (("range", "0-4"),)
    assert await session.offset() == 5
    await session.commit(Digest.of(b"hello!"), chunks(b"!"), 5, 1)
    assert await read_blob(await repository.open_blob(Digest.of(b"hello!"))) == b"hello!"


@pytest.mark.parametrize("pieces", [[], [b"abc"], [b"abcde"], [b"ab", b"cde"], [b"a" * MIB, b"b" * MIB]])
async def test_a_chunk_of_another_length_than_it_promises_leaves_the_upload_as_it_was(
    repository: LocalRepository, pieces: list[bytes]
) -> None:
    """Too few bytes or too many: all of them are dropped, and the client may send the chunk again."""
    session = await repository.start_upload("sha256")
    await session.append(chunks(b"hello"), 0, None)

    with pytest.raises(SizeInvalid):
        await session.append(chunks(*pieces), 5, 4)
    with pytest.raises(SizeInvalid):
        await session.commit(Digest.of(b"hello"), chunks(*pieces), 5, 4)

    assert await session.offset() == 5
    await session.append(chunks(b"1234"), 5, 4)
    await session.commit(Digest.of(b"hello1234"), chunks(), 9, None)
    assert await read_blob(await repository.open_blob(Digest.of(b"hello1234"))) == b"hello1234"


async def test_what_came_before_the_client_left_is_kept(repository: LocalRepository) -> None:
    """The upload says truthfully how far it is, and goes on from there to the right hash."""
    content = os.urandom(5 * MIB)

    async def leaving() -> AsyncIterator[bytes]:
        yield content[: 3 * MIB]
        yield content[3 * MIB : 4 * MIB - 5]
        raise ConnectionError

    session = await repository.start_upload("sha256")
    with pytest.raises(ConnectionError):
        await session.append(leaving(), 0, None)

    offset = await session.offset()
    assert offset == 4 * MIB - 5
    await session.commit(Digest.of(content), chunks(content[offset:]), offset, None)
    assert await read_blob(await repository.open_blob(Digest.of(content))) == content


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("resumed", [False, True])
async def test_nothing_at_all_is_a_blob(
    repository: LocalRepository, elsewhere: LocalRepository, algorithm: str, resumed: bool
) -> None:
    """An upload that never got a byte is the empty blob, and no other."""
    empty = Digest.of(b"", algorithm)
    session = await repository.start_upload(algorithm)
    if resumed:
        session = await elsewhere.resume_upload(session.id)

    assert (await session.commit(empty, chunks(), 0, None)).size == 0

    assert await read_blob(await repository.open_blob(empty)) == b""


@pytest.mark.parametrize("name", [APP, OTHER])
async def test_a_wrong_digest_ends_the_upload_and_touches_nothing(
    registry: LocalRegistry, driver: Driver, name: RepositoryName
) -> None:
    """The session's bytes are dropped; the blob whose name was misused is what it was, for those who may read it."""
    await upload(registry.writer(APP), b"hello")
    digest = Digest.of(b"hello")
    session = await registry.writer(name).start_upload("sha256")

    with pytest.raises(DigestInvalid, match=re.escape(Digest.of(b"HELLO"))):
        await session.commit(digest, chunks(b"HELLO"), 0, None)

    with pytest.raises(PathNotFound):
        await driver.stat(session.path)
    assert await driver.get(layout.blob_data(digest)) == b"hello"
    assert not await registry.blobs.has(Digest.of(b"HELLO"))
    if name == OTHER:
        with pytest.raises(BlobUnknown):
            await registry.reader(OTHER).stat_blob(digest)


async def test_the_same_blob_pushed_by_many_at_once_is_one(registry: LocalRegistry) -> None:
    """Every client gets its answer, and every repository its link."""
    names = [RepositoryName.parse(f"many/r{number}") for number in range(50)]
    content = os.urandom(100_000)
    digest = Digest.of(content)

    await asyncio.gather(*(upload(registry.writer(name), content) for name in names))

    for name in names:
        assert await read_blob(await registry.reader(name).open_blob(digest)) == content


async def test_a_repository_has_only_so_many_open_uploads() -> None:
    """Nobody fills the disk with names; what is dropped makes room, and other repositories do not notice."""
    driver = MemoryDriver()
    allowance = Allowance(sessions=100)
    repository = LocalRegistry(driver, None, Rules(), allowance=allowance).writer(APP)
    session = await repository.start_upload("sha256")
    for _ in range(99):
        await repository.start_upload("sha256")

    with pytest.raises(TooManyRequests) as refused:
        await repository.start_upload("sha256")
    assert refused.value.headers == (("retry-after", "60"),)

    await LocalRegistry(driver, None, Rules(), allowance=allowance).writer(OTHER).start_upload("sha256")
    await session.cancel()
    await repository.start_upload("sha256")
    await driver.delete(layout.uploads(APP))
    await repository.start_upload("sha256")


@pytest.mark.parametrize("step", [70_000, 1])
async def test_a_blob_larger_than_allowed_is_refused(step: int) -> None:
    """413 as soon as a byte is too many; what the upload held before it still holds, and may be finished."""
    content = os.urandom(100_000)
    repository = LocalRegistry(MemoryDriver(), None, Rules(), allowance=Allowance(blob=100_000)).writer(APP)
    session = await repository.start_upload("sha256")
    await session.append(chunks(content[:50_000]), 0, None)

    with pytest.raises(BlobTooLarge):
        await session.append(chunks(content[: 50_000 + step]), 50_000, None)
    assert await session.offset() == 50_000
    await session.commit(Digest.of(content), chunks(content[50_000:]), 50_000, None)


async def test_uploads_leave_free_what_has_to_stay_free() -> None:
    """None begins, and none goes on, while there is too little; then they do."""
    short = False
    allowance = Allowance(is_short=lambda: short)
    repository = LocalRegistry(MemoryDriver(), None, Rules(), allowance=allowance).writer(APP)
    session = await repository.start_upload("sha256")
    content = os.urandom(1000)
    short = True

    with pytest.raises(NoSpace):
        await repository.start_upload("sha256")
    with pytest.raises(NoSpace):
        await session.append(chunks(content), 0, None)

    short = False
    await session.commit(Digest.of(content), chunks(content), 0, None)


async def test_an_upload_looks_again_while_it_goes_on() -> None:
    """A long one ends where others have taken the room."""
    looks = iter([False, False, True])
    allowance = Allowance(is_short=lambda: next(looks))
    repository = LocalRegistry(MemoryDriver(), None, Rules(), allowance=allowance).writer(APP)
    session = await repository.start_upload("sha256")

    with pytest.raises(NoSpace):
        await session.append(chunks(bytes(40 << 20)), 0, None)
    assert await session.offset() == 0
