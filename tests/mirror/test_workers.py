"""Workers share a download through the growing file: who dies, and when, decides what those who follow it get."""

import asyncio
import os
from pathlib import Path

import pytest

from entrepot.content import Blob, GrowingFile
from entrepot.mirror.fill import HELD_BACK
from entrepot.mirror.spool import KEPT, RUNNING, VERIFIED, Progress, Spool
from entrepot.oci.names import RepositoryName
from entrepot.storage import layout
from entrepot.testing.faults import Gate, flipped, held
from entrepot.testing.registry_contents import read_body
from entrepot.testing.upstreams import TestUpstream
from entrepot.wire.ranges import Span
from tests.crash.layout_check import check
from tests.mirror.conftest import NAME, Start, Worker, leftovers

MIB = 1 << 20
SIZE = 3 * MIB
OTHER = RepositoryName.parse("library/other")


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
        while os.fstat(body.descriptor).st_size < MIB:
            await asyncio.sleep(0.001)
        await body.pieces.aclose()
        return await self.follower.open(self.digest)

    def resumed_at(self) -> int:
        """Where the second of two downloads began."""
        _, second = [seen.headers.get("range", "") for seen in self.upstream.origin.requests if seen.method == "GET"]
        return int(second.removeprefix("bytes=").removesuffix("-"))


@pytest.fixture
def story(upstream: TestUpstream, start: Start) -> Story:
    """A download to be disturbed."""
    return Story(upstream, start)


async def test_a_follower_reads_while_the_leader_writes(story: Story) -> None:
    """What has arrived is there at once, and then the rest."""
    body = (await story.begin()).body
    assert isinstance(body, GrowingFile)
    span = await anext(body.pieces)
    assert isinstance(span, Span)
    assert os.pread(body.descriptor, 100, span.start) == story.content[:100]
    assert span.stop <= 2 * MIB
    story.gate.open()

    assert story.content[: span.stop] + await read_body(body) == story.content
    assert await story.leader.blob(story.digest) == story.content
    assert story.upstream.count("GET") == 1


async def test_a_follower_goes_on_where_the_leader_died(story: Story, root: Path) -> None:
    """It asks the upstream for the rest alone, and its client notices nothing."""
    following = await story.begin()

    await story.leader.die()

    assert await read_body(following.body) == story.content
    await story.follower.settled()
    assert story.resumed_at() >= MIB
    assert (leftovers(root), check(root)) == ([], [])


async def test_one_of_many_followers_goes_on(story: Story, start: Start, root: Path) -> None:
    """In whatever workers they are: the upstream is asked once more, by one."""
    followers = [await story.begin(), *[await start().open(story.digest) for _ in range(3)]]

    await story.leader.die()

    got = await asyncio.gather(*(read_body(follower.body) for follower in followers))
    assert got == [story.content] * 4
    assert story.upstream.count("GET") == 2


async def test_a_fill_is_resumed_after_a_restart(story: Story, start: Start, root: Path) -> None:
    """Nobody followed when everything was killed: the next client's worker begins where the file ends."""
    following = await story.begin()
    await following.body.pieces.aclose()  # type: ignore[union-attr]  # a growing file
    await story.follower.die()
    await story.leader.die()
    assert leftovers(root) != []

    assert await start().blob(story.digest) == story.content

    assert story.resumed_at() >= MIB


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


async def test_what_a_dead_leader_got_wrong_is_never_whole(story: Story, start: Start, root: Path) -> None:
    """Who goes on with it finds out at the end; its clients are cut, and the next download is a new one."""
    story.upstream.misbehave(flipped(0), path="/blobs/", method="GET", times=1)
    following = await story.begin()

    await story.leader.die()
    got = await read_body(following.body)

    assert len(got) <= SIZE - HELD_BACK
    await story.follower.settled()
    assert leftovers(root) == []
    assert await start().blob(story.digest) == story.content


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


async def test_a_word_that_comes_when_all_is_over_is_leave_too(story: Story) -> None:
    """Whoever gets leave for another repository only when the fill has ended: the blob is linked there all the same."""
    story.upstream.repositories[OTHER].blobs[story.digest] = story.content
    await (await story.begin()).body.pieces.aclose()  # type: ignore[union-attr]  # a growing file
    asked, answer = story.upstream.count(), Gate()
    story.upstream.misbehave(held(-1, answer), path=f"/{OTHER}/", method="HEAD", times=1)
    following = asyncio.create_task(story.follower.blob(story.digest, OTHER))
    await answer.reached()
    story.gate.open()
    await story.leader.settled()
    await story.follower.settled()
    answer.open()

    assert await following == story.content
    for worker in (story.leader, story.follower):
        assert await worker.blob(story.digest, OTHER) == story.content
    assert story.upstream.count() == asked + 1


@pytest.mark.parametrize("size", [100, SIZE])
async def test_a_leader_that_dies_when_all_is_right_leaves_a_right_answer(
    upstream: TestUpstream, worker: Worker, size: int
) -> None:
    """Between the last byte and the rename: another worker makes it a blob, without a word to the upstream."""
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
    await worker.settled()
    assert await worker.blob(digest) == content
    assert upstream.count() == 0


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
