"""An upload is shared by workers that share nothing but the store: one writes at a time, and any can go on."""

import asyncio
import os
import uuid
from collections.abc import AsyncGenerator, AsyncIterator

import pytest

from entrepot.driver import Driver, PathNotFound
from entrepot.oci.digest import Digest
from entrepot.oci.errors import (
    BlobUploadBusy,
    BlobUploadUnknown,
    RangeInvalid,
)
from entrepot.oci.names import RepositoryName
from entrepot.storage import layout
from entrepot.storage.local import LocalRegistry, LocalRepository
from entrepot.storage.validation import Rules
from entrepot.testing.registry_contents import chunks, read_blob
from entrepot.wire.ranges import Span
from tests.unit.storage.failing import Failing, Fault

APP, OTHER = RepositoryName.parse("library/app"), RepositoryName.parse("library/other")
MIB = 1 << 20


async def test_two_appends_at_once_exclude_each_other(repository: LocalRepository, elsewhere: LocalRepository) -> None:
    """The second waits a moment for the first to end, is told so if it does not, and never writes between its bytes."""
    session = await repository.start_upload("sha256")
    pause, begun = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"hel"
        begun.set()
        await pause.wait()
        yield b"lo"

    first = asyncio.create_task(session.append(slow(), 0, None))
    await begun.wait()
    others = [await where.resume_upload(session.id) for where in (repository, elsewhere)]
    answers = await asyncio.gather(
        *(other.append(chunks(b"HELLO"), 0, None) for other in others),
        others[0].commit(Digest.of(b""), chunks(), 0, None),
        others[1].cancel(),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers] == [BlobUploadBusy] * 4
    pause.set()

    assert await first == 5
    assert await session.offset() == 5
    await session.commit(Digest.of(b"hello"), chunks(), 5, None)


async def test_who_waited_for_the_lock_sees_what_the_other_wrote(
    repository: LocalRepository, elsewhere: LocalRepository
) -> None:
    """A client that sends again while its dying request still writes is refused by where the upload now ends."""
    session = await repository.start_upload("sha256")
    pause, begun = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        begun.set()
        await pause.wait()
        yield b"hello"

    first = asyncio.create_task(session.append(slow(), 0, None))
    await begun.wait()
    second = asyncio.create_task((await elsewhere.resume_upload(session.id)).append(chunks(b"hello"), 0, None))
    await asyncio.sleep(0)
    pause.set()

    assert await first == 5
    with pytest.raises(RangeInvalid):
        await second


async def test_a_commit_while_another_runs_finds_the_upload_gone(repository: LocalRepository) -> None:
    """A client that lost the answer and asks again gets one blob, not two answers that contradict each other."""
    session = await repository.start_upload("sha256")
    await session.append(chunks(b"hello"), 0, None)
    digest = Digest.of(b"hello")

    answers = await asyncio.gather(
        *(session.commit(digest, chunks(), 5, None) for _ in range(3)), return_exceptions=True
    )

    assert sorted(type(answer).__name__ for answer in answers) == ["BlobUploadUnknown"] * 2 + ["Descriptor"]
    assert await read_blob(await repository.open_blob(digest)) == b"hello"


@pytest.mark.parametrize("turns", ["here there here", "there here there there", "here here there"])
async def test_an_upload_goes_on_in_another_worker(
    repository: LocalRepository, elsewhere: LocalRepository, turns: str
) -> None:
    """Wherever the next chunk arrives, the hash in the end is the one of all bytes."""
    session_id = (await repository.start_upload("sha256")).id
    content = b""
    for turn in turns.split():
        session = await (repository if turn == "here" else elsewhere).resume_upload(session_id)
        part = os.urandom(1000)
        assert await session.append(chunks(part), len(content), None) == len(content) + 1000
        content += part

    session = await repository.resume_upload(session_id)
    await session.commit(Digest.of(content), chunks(), len(content), None)

    assert await read_blob(await elsewhere.open_blob(Digest.of(content))) == content


@pytest.mark.parametrize("begun_as", ["sha256", "sha512"])
@pytest.mark.parametrize("committed_as", ["sha256", "sha512"])
@pytest.mark.parametrize("resumed", [False, True])
async def test_the_commit_decides_the_algorithm(
    repository: LocalRepository, elsewhere: LocalRepository, begun_as: str, committed_as: str, resumed: bool
) -> None:
    """A hash that ran along with another algorithm is done again, not compared."""
    session = await repository.start_upload(begun_as)
    if resumed:
        session = await elsewhere.resume_upload(session.id)
    await session.append(chunks(b"hel"), 0, None)
    digest = Digest.of(b"hello", committed_as)

    await session.commit(digest, chunks(b"lo"), 3, None)

    assert await read_blob(await repository.open_blob(digest)) == b"hello"


async def test_a_cancelled_upload_is_gone(
    repository: LocalRepository, elsewhere: LocalRepository, driver: Driver
) -> None:
    """For everybody, also for whoever still holds it."""
    session = await repository.start_upload("sha256")
    await session.append(chunks(b"hello"), 0, None)
    held = await repository.resume_upload(session.id)

    await (await elsewhere.resume_upload(session.id)).cancel()

    with pytest.raises(PathNotFound):
        await driver.stat(session.path)
    for one in (session, held):
        for call in (one.append(chunks(b"!"), 5, None), one.commit(Digest.of(b"hello"), chunks(), 5, None)):
            with pytest.raises(BlobUploadUnknown):
                await call
        for ask in (one.cancel, one.offset):
            with pytest.raises(BlobUploadUnknown):
                await ask()


class NeverRead(Failing):
    """Lets nobody read a file from its beginning."""

    def read(self, path: str, span: Span) -> AsyncGenerator[bytes, None]:
        raise AssertionError(f"{path} is read again")


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
async def test_the_hash_runs_along_while_one_worker_gets_all(driver: Driver, algorithm: str) -> None:
    """A commit need not read again what was written, however many chunks there were."""
    never = Fault(RuntimeError, 0, lasts=False, late=False)
    repository = LocalRegistry(NeverRead(driver, never), None, Rules()).writer(APP)
    session = await repository.start_upload(algorithm)
    for number in range(5):
        session = await repository.resume_upload(session.id)
        await session.append(chunks(b"x" * 100_000), number * 100_000, None)

    digest = Digest.of(b"x" * 500_000 + b"!", algorithm)
    assert (await session.commit(digest, chunks(b"!"), 500_000, None)).size == 500_001


async def test_a_hash_is_of_the_file_that_is_there(
    repository: LocalRepository, elsewhere: LocalRepository, driver: Driver
) -> None:
    """Another worker died while it committed, and the upload was begun again with other bytes, as many of them."""
    session = await repository.start_upload("sha256")
    await session.append(chunks(b"hello"), 0, None)
    await driver.delete(f"{session.path}/data")
    await asyncio.sleep(0.05)  # longer than a tick of the clock that files are stamped by
    await (await elsewhere.resume_upload(session.id)).append(chunks(b"HELLO"), 0, None)

    await session.append(chunks(b" you"), 5, None)

    digest = Digest.of(b"HELLO you")
    await session.commit(digest, chunks(), 9, None)
    assert await read_blob(await repository.open_blob(digest)) == b"HELLO you"


UNKNOWN = [
    "",
    ".",
    "..",
    "../_layers",
    "a/b",
    "00000000-0000-4000-8000-000000000000",
    "00000000-0000-4000-8000-00000000000",
    "{00000000-0000-4000-8000-000000000000}",
    "urn:uuid:00000000-0000-4000-8000-000000000000",
    "0" * 32,
    "\u0660" * 8 + "-0000-4000-8000-000000000000",
    "x" * 100_000,
    "\0",
]


@pytest.mark.parametrize("upload_id", UNKNOWN, ids=lambda text: ascii(text)[:24])
async def test_an_id_that_no_session_has_is_unknown(repository: LocalRepository, upload_id: str) -> None:
    """Whatever a client puts there; only a UUID as it was given out is ever looked for."""
    await repository.start_upload("sha256")

    with pytest.raises(BlobUploadUnknown) as unknown:
        await repository.resume_upload(upload_id)
    assert len(str(unknown.value)) < 200


async def test_a_session_belongs_to_its_repository(registry: LocalRegistry) -> None:
    """The id alone does not lead into another repository."""
    session = await registry.writer(APP).start_upload("sha256")

    with pytest.raises(BlobUploadUnknown):
        await registry.writer(OTHER).resume_upload(session.id)
    with pytest.raises(BlobUploadUnknown):
        await registry.writer(APP).resume_upload(session.id.upper())


async def test_what_distribution_began_is_gone_on_with(repository: LocalRepository, driver: Driver) -> None:
    """Its state of the hash is ignored, and removed with the rest."""
    upload_id = str(uuid.uuid4())
    path = layout.upload(APP, upload_id)
    await driver.put(f"{path}/startedat", b"2024-05-01T10:00:00Z")
    await driver.put(f"{path}/data", b"hel")
    for offset in (0, 3):
        await driver.put(f"{path}/hashstates/sha256/{offset}", os.urandom(108))

    session = await repository.resume_upload(upload_id)
    assert (session.started_at, await session.offset()) == ("2024-05-01T10:00:00Z", 3)
    await session.commit(Digest.of(b"hello"), chunks(b"lo"), 3, None)

    assert await read_blob(await repository.open_blob(Digest.of(b"hello"))) == b"hello"
    with pytest.raises(PathNotFound):
        await driver.stat(path)
