"""Workers share a download through the growing file and its record: who dies, and when, decides what followers get."""

import asyncio
import os
from pathlib import Path

import pytest

from entrepot.content import Blob, GrowingFile
from entrepot.mirror.fill import HELD_BACK
from entrepot.mirror.spool import KEPT, RUNNING, VERIFIED, Progress, Spool, SpoolBusy
from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName
from entrepot.storage import layout
from entrepot.testing.faults import Gate, flipped, held
from entrepot.testing.registry_contents import read_body
from entrepot.testing.upstreams import TestUpstream
from tests.crash.layout_check import check
from tests.mirror.conftest import NAME, Start, Worker, leftovers

MIB = 1 << 20
SIZE = 3 * MIB
OTHER = RepositoryName.parse("library/other")
LONGEST = RepositoryName.parse("a/" * 127 + "a")


class Story:
    """Two workers and a blob that stops half-way, at `gate`."""

    def __init__(self, upstream: TestUpstream, start: Start) -> None:
        self.upstream = upstream
        self.leader, self.follower = start(), start()
        self.content = os.urandom(SIZE)
        self.digest = upstream.add_blob(NAME, self.content)
        self.gate = Gate()

    async def begin(self) -> Blob:
        """A client has begun it and left; the answer is that of another client, in another worker."""
        self.upstream.misbehave(held(2 * MIB, self.gate), path="/blobs/", method="GET", times=1)
        body = (await self.leader.open(self.digest)).body
        assert isinstance(body, GrowingFile)
        await self.gate.reached()
        await body.spans.aclose()
        return await self.follower.open(self.digest)


@pytest.fixture
def story(upstream: TestUpstream, start: Start) -> Story:
    """A download to be disturbed."""
    return Story(upstream, start)


async def test_a_follower_reads_while_the_leader_writes(story: Story) -> None:
    """What has arrived is there at once, and then the rest."""
    body = (await story.begin()).body
    assert isinstance(body, GrowingFile)
    span = await anext(body.spans)
    assert os.pread(body.descriptor, 100, span.start) == story.content[:100]
    assert span.stop <= 2 * MIB
    story.gate.open()

    assert story.content[: span.stop] + await read_body(body) == story.content
    assert await story.leader.blob(story.digest) == story.content
    assert story.upstream.count("GET") == 1


async def test_followers_are_cut_when_the_leader_dies_and_the_next_try_works(story: Story, root: Path) -> None:
    """What they have got is the beginning of the blob; the follower's worker then downloads it itself."""
    following = await story.begin()

    await story.leader.die()
    got = await read_body(following.body)

    assert got == story.content[: len(got)]
    assert len(got) <= SIZE - HELD_BACK
    assert await story.follower.blob(story.digest) == story.content
    await story.follower.settled()
    assert story.upstream.count("GET") == 2
    assert (leftovers(root), check(root)) == ([], [])


async def test_who_has_been_promised_nothing_yet_does_not_notice(upstream: TestUpstream, start: Start) -> None:
    """The leader dies before the upstream has answered: a follower that waits leads next."""
    leader, follower = start(), start()
    content = os.urandom(SIZE)
    digest = upstream.add_blob(NAME, content)
    gate = Gate()
    upstream.misbehave(held(-1, gate), path="/blobs/", method="GET", times=1)
    leading = asyncio.create_task(leader.open(digest))
    await gate.reached()
    following = asyncio.create_task(follower.blob(digest))
    await asyncio.sleep(0.05)

    leading.cancel()
    await leader.die()

    assert await following == content


async def test_followers_of_the_dead_get_nothing_of_the_next(story: Story, start: Start) -> None:
    """Another leader begins at once: who followed the first keeps to its file, which nobody has verified."""
    story.upstream.misbehave(flipped(0), path="/blobs/", method="GET", times=1)
    following = await story.begin()
    gate = Gate()
    story.upstream.misbehave(held(MIB, gate), path="/blobs/", method="GET", times=1)

    await story.leader.die()
    next_one = asyncio.create_task(start().blob(story.digest))
    await gate.reached()
    gate.open()
    got = await read_body(following.body)

    assert len(got) <= 2 * MIB
    assert got[:1] != story.content[:1]
    assert await next_one == story.content


async def test_a_follower_in_another_repository_needs_the_upstreams_word(story: Story) -> None:
    """Joining a download gives no leave to read it; with leave it is linked there, too."""
    await story.begin()
    with pytest.raises(Exception, match="blob unknown"):
        await story.follower.open(story.digest, OTHER)

    story.upstream.repositories[OTHER].blobs[story.digest] = story.content
    following = asyncio.create_task(story.follower.blob(story.digest, OTHER))
    while story.upstream.count("HEAD", f"/{OTHER}/") < 2:
        await asyncio.sleep(0.01)
    story.gate.open()

    assert await following == story.content
    await story.follower.settled()
    await story.leader.settled()
    asked = story.upstream.count()
    for worker in (story.leader, story.follower):
        for name in (NAME, OTHER):
            assert await worker.blob(story.digest, name) == story.content
    assert story.upstream.count() == asked


@pytest.mark.parametrize("size", [100, SIZE])
async def test_a_leader_that_dies_when_all_is_right_leaves_a_right_answer(
    upstream: TestUpstream, worker: Worker, size: int
) -> None:
    """Between the last byte and the rename: followers have all of a verified file; the next client begins anew."""
    content = os.urandom(size)
    digest = upstream.add_blob(NAME, content)
    leading = Spool.lead(worker.files.local_path(layout.blob_spool(digest)), NAME)
    leading.report(Progress(size, 0, RUNNING, NAME))
    following = asyncio.create_task(worker.blob(digest))
    await asyncio.sleep(0.02)
    leading.append([memoryview(content)])
    leading.report(Progress(size, size, VERIFIED, NAME))
    leading.close()

    assert await following == content
    assert upstream.count() == 0
    await worker.settled()
    assert await worker.blob(digest) == content
    assert upstream.count() == 1


async def test_the_last_word_of_a_leader_counts(upstream: TestUpstream, worker: Worker) -> None:
    """It stands still for longer than a dead one is believed alive, then ends well and is gone at once."""
    content = os.urandom(SIZE)
    digest = upstream.add_blob(NAME, content)
    path = worker.files.local_path(layout.blob_spool(digest))
    for _ in range(5):
        leading = Spool.lead(path, NAME)
        leading.report(Progress(SIZE, 0, RUNNING, NAME))
        following = asyncio.create_task(worker.blob(digest))
        leading.append([memoryview(content)])
        await asyncio.sleep(0.3)
        leading.report(Progress(SIZE, SIZE, KEPT, NAME))
        leading.close()

        assert await following == content
        await worker.settled()
    assert upstream.count() == 0


class TestRecord:
    """The record of a download, as one process writes it and others read it."""

    PATH = "blobs/fill"
    PROGRESS = Progress(1 << 40, 1 << 39, RUNNING, NAME)

    @pytest.mark.parametrize("name", ["a", NAME, LONGEST])
    @pytest.mark.parametrize("size", [None, 0, 2**62])
    @pytest.mark.parametrize("state", [RUNNING, VERIFIED, KEPT, 404, 502])
    def test_what_is_reported_is_read(self, root: Path, name: str, size: int | None, state: int) -> None:
        """For the longest name, too: links are made by it."""
        leading = Spool.lead(str(root / self.PATH), name)
        following = Spool.follow(str(root / self.PATH))
        assert following.progress() == Progress(None, 0, RUNNING, name)

        progress = Progress(size, 7, state, name)
        leading.report(progress)

        assert following.progress() == leading.progress() == progress
        leading.close()
        following.close()

    def test_one_leads(self, root: Path) -> None:
        """Until it closes; then the next begins with an empty file."""
        path = str(root / self.PATH)
        leading = Spool.lead(path, NAME)
        with pytest.raises(SpoolBusy):
            Spool.lead(path, NAME)
        following = Spool.follow(path)
        assert following.has_leader()
        leading.append([memoryview(b"hello")])
        leading.close()
        assert not following.has_leader()

        another = Spool.lead(path, OTHER)

        assert not following.has_leader()
        assert os.fstat(another.descriptor).st_size == 0
        assert os.pread(following.descriptor, 5, 0) == b"hello"
        another.close()
        following.close()

    @pytest.mark.parametrize("written", [b"", b"hello"])
    def test_a_record_is_of_one_file(self, root: Path, written: bytes) -> None:
        """Who followed a leader that died reads no word of the next one, though both write to the same place."""
        path = str(root / self.PATH)
        first = Spool.lead(path, NAME)
        following = Spool.follow(path)
        first.append([memoryview(written)])
        first.close()
        second = Spool.lead(path, OTHER)

        second.report(Progress(5, 5, KEPT, OTHER))

        assert following.progress() is None or following.progress() == Progress(None, 0, RUNNING, NAME)
        assert following.progress() != Progress(5, 5, KEPT, OTHER)
        second.close()
        following.close()

    @pytest.mark.parametrize("damage", [b"", b"\0", bytes(1000), os.urandom(1000)])
    def test_a_damaged_record_is_none(self, root: Path, damage: bytes) -> None:
        """Half written, or by another version."""
        path = root / self.PATH
        leading = Spool.lead(str(path), NAME)
        following = Spool.follow(str(path))
        record = path.with_name("fill.progress")
        record.write_bytes(damage + record.read_bytes()[len(damage) :] if damage else b"")

        assert following.progress() is None
        leading.report(self.PROGRESS)
        assert following.progress() == self.PROGRESS
        leading.close()
        following.close()

    def test_a_leader_that_can_not_begin_leaves_the_place_free(self, root: Path) -> None:
        """No room, or no file left to open: the next one leads as if nobody had tried."""
        path = root / self.PATH
        record = path.with_name("fill.progress")
        record.mkdir(parents=True)
        for _ in range(3):
            with pytest.raises(IsADirectoryError):
                Spool.lead(str(path), NAME)
        assert not path.exists()

        record.rmdir()
        Spool.lead(str(path), NAME).close()

    def test_no_symlink_is_followed(self, root: Path) -> None:
        """A planted one does not make us write elsewhere."""
        (root / "blobs").mkdir()
        (root / self.PATH).symlink_to(root / "elsewhere")

        with pytest.raises(OSError, match="symbolic"):
            Spool.lead(str(root / self.PATH), NAME)
        assert not (root / "elsewhere").exists()


def test_a_digest_has_one_spool(worker: Worker) -> None:
    """Whatever repository it is asked for in."""
    digest = Digest.of(b"hello")

    assert worker.files.local_path(layout.blob_spool(digest)).endswith(f"/2c/{digest.encoded}/fill")
