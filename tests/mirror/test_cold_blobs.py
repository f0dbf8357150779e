"""A cold blob: one download whoever asks and whoever leaves, served as it arrives, kept only when it is right."""

import asyncio
import os
from pathlib import Path

import pytest

from entrepot.content import GrowingFile
from entrepot.mirror.fill import HELD_BACK
from entrepot.oci.digest import Digest
from entrepot.oci.errors import BlobUnknown, RangeInvalid, UpstreamUnreachable
from entrepot.storage import layout
from entrepot.testing.faults import Gate, chunked, dripping, held
from entrepot.testing.registry_contents import read_body
from entrepot.testing.upstreams import TestUpstream
from entrepot.wire.ranges import Span, parse_range
from tests.crash.layout_check import check
from tests.mirror.conftest import NAME, Start, Worker, leftovers

MIB = 1 << 20


@pytest.mark.parametrize("size", [0, 1, 1000, HELD_BACK - 1, HELD_BACK, HELD_BACK + 1, 3 * MIB + 17])
async def test_a_cold_blob_is_fetched_once_and_never_again(
    upstream: TestUpstream, worker: Worker, root: Path, size: int
) -> None:
    """The first client gets it as it arrives; all others get what is kept, also when the upstream is down."""
    content = os.urandom(size)
    digest = upstream.add_blob(NAME, content)

    assert await worker.blob(digest) == content
    await worker.settled()
    await upstream.stop()
    assert await worker.blob(digest) == content

    assert (upstream.count("GET"), upstream.count("HEAD")) == (1, 0)
    assert upstream.bytes_sent() == size
    assert (root / layout.blob_data(digest)[1:]).read_bytes() == content
    assert (leftovers(root), check(root)) == ([], [])


@pytest.mark.parametrize("size", [0, 1000, MIB])
async def test_a_sha512_blob_is_fetched_and_kept_by_its_own_digest(
    upstream: TestUpstream, worker: Worker, root: Path, size: int
) -> None:
    """It lies where a push would have put it."""
    content = os.urandom(size)
    digest = Digest.of(content, "sha512")
    upstream.repositories[NAME].blobs[digest] = content

    assert await worker.blob(digest) == content
    await worker.settled()
    assert await worker.blob(digest) == content

    assert upstream.count("GET") == 1
    assert (root / layout.blob_data(digest)[1:]).read_bytes() == content
    assert (leftovers(root), check(root)) == ([], [])


async def test_eight_clients_of_a_cold_blob_are_one_download(upstream: TestUpstream, worker: Worker) -> None:
    """Whenever they come, each gets all of it."""
    content = os.urandom(5 * MIB)
    digest = upstream.add_blob(NAME, content)
    gate = Gate()
    upstream.misbehave(held(2 * MIB, gate), path="/blobs/")

    early = [asyncio.create_task(worker.blob(digest)) for _ in range(4)]
    await gate.reached()
    late = [asyncio.create_task(worker.blob(digest)) for _ in range(4)]
    await asyncio.sleep(0.05)
    gate.open()

    assert await asyncio.gather(*early, *late) == [content] * 8
    assert (upstream.count("GET"), upstream.bytes_sent()) == (1, len(content))


@pytest.mark.parametrize("size", [100, 5 * MIB])
async def test_clients_of_several_workers_are_one_download(upstream: TestUpstream, start: Start, size: int) -> None:
    """Whoever comes first leads; the others follow, and the blob is linked for all."""
    content = os.urandom(size)
    digest = upstream.add_blob(NAME, content)
    workers = [start() for _ in range(3)]

    got = await asyncio.gather(*(worker.blob(digest) for worker in workers for _ in range(8)))

    assert got == [content] * 24
    assert (upstream.count("GET"), upstream.bytes_sent()) == (1, len(content))


async def test_many_small_blobs_by_many_clients_of_many_workers_are_fetched_once_each(
    upstream: TestUpstream, start: Start, root: Path
) -> None:
    """However the ends and beginnings of the downloads fall together."""
    blobs = {upstream.add_blob(NAME, content): content for content in (os.urandom(500) for _ in range(60))}
    workers = [start() for _ in range(4)]

    for digest, content in blobs.items():
        got = await asyncio.gather(*(worker.blob(digest) for worker in workers for _ in range(2)))
        assert got == [content] * 8

    assert upstream.count("GET") == len(blobs)
    for worker in workers:
        await worker.settled()
    assert (leftovers(root), check(root)) == ([], [])


async def test_a_client_gets_what_has_arrived_before_the_rest_has(upstream: TestUpstream, worker: Worker) -> None:
    """All but the last block, which is held back until all is known to be right; also from a slow upstream."""
    content = os.urandom(300_000)
    digest = upstream.add_blob(NAME, content)
    upstream.misbehave(dripping(50_000, 0.05), path="/blobs/")
    upstream.misbehave(held(len(content) - 1, gate := Gate()), path="/blobs/")

    body = (await worker.open(digest)).body
    assert isinstance(body, GrowingFile)
    got = b""
    while len(got) < 200_000:
        span = await anext(body.pieces)
        assert isinstance(span, Span)
        got += os.pread(body.descriptor, len(span), span.start)
    rest = asyncio.create_task(read_body(body))
    await gate.reached()
    assert (got, rest.done()) == (content[: len(got)], False)
    assert len(got) <= len(content) - HELD_BACK
    gate.open()

    assert got + await rest == content


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-99", (0, 100)),
        ("bytes=100000-1999999", (100_000, 2_000_000)),
        ("bytes=-100", (3 * MIB - 100, 3 * MIB)),
        ("bytes=3000000-", (3_000_000, 3 * MIB)),
        # Docker asks for one byte past the end.
        (f"bytes=1000-{3 * MIB}", (1000, 3 * MIB)),
        (f"bytes=0-{3 * MIB}", (0, 3 * MIB)),
    ],
)
async def test_part_of_a_cold_blob_is_served_from_the_growing_file(
    upstream: TestUpstream, worker: Worker, header: str, expected: tuple[int, int]
) -> None:
    """As soon as it is there; the rest is fetched all the same, and kept."""
    content = os.urandom(3 * MIB)
    digest = upstream.add_blob(NAME, content)

    blob = await worker.open(digest, select=lambda size: parse_range(header, size))

    assert (blob.span, blob.descriptor.size) == (Span(*expected), len(content))
    assert await read_body(blob.body) == content[slice(*expected)]
    await worker.settled()
    assert await worker.blob(digest) == content
    assert upstream.count("GET") == 1


async def test_the_beginning_of_a_cold_blob_does_not_wait_for_its_end(upstream: TestUpstream, worker: Worker) -> None:
    """A range that has arrived is served while the upstream stands still."""
    content = os.urandom(3 * MIB)
    digest = upstream.add_blob(NAME, content)
    upstream.misbehave(held(2 * MIB, gate := Gate()), path="/blobs/")

    assert await worker.blob(digest, select=lambda _: Span(5, MIB)) == content[5:MIB]
    gate.open()


async def test_a_range_that_can_not_be_served_stops_nothing(upstream: TestUpstream, worker: Worker) -> None:
    """The client is told so as soon as the size is known; the blob is kept."""
    content = os.urandom(MIB)
    digest = upstream.add_blob(NAME, content)

    def refuse(size: int) -> Span | None:
        raise RangeInvalid({"size": size})

    with pytest.raises(RangeInvalid) as refused:
        await worker.open(digest, select=refuse)
    assert refused.value.detail == {"size": len(content)}
    await worker.settled()

    assert await worker.blob(digest) == content
    assert upstream.count("GET") == 1


async def test_an_upstream_that_does_not_tell_the_size_is_asked_for_it(upstream: TestUpstream, worker: Worker) -> None:
    """One that sends chunks tells it to a HEAD, or in a range."""
    content = os.urandom(2 * MIB)
    digest = upstream.add_blob(NAME, content)
    upstream.misbehave(chunked(), path="/blobs/")

    blob = await worker.open(digest)

    assert blob.descriptor.size == len(content)
    assert await read_body(blob.body) == content


async def test_what_the_upstream_does_not_have_is_unknown(upstream: TestUpstream, worker: Worker, root: Path) -> None:
    """For all who ask, until it has it; nothing is left of the asking."""
    digest = Digest.of(b"to come")

    answers = await asyncio.gather(*(worker.open(digest) for _ in range(5)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {BlobUnknown}
    with pytest.raises(BlobUnknown):
        await worker.registry.reader(NAME).stat_blob(digest)
    assert leftovers(root) == []

    upstream.add_blob(NAME, b"to come")
    assert await worker.blob(digest) == b"to come"


async def test_a_head_asks_the_upstream_and_fetches_nothing(upstream: TestUpstream, worker: Worker, root: Path) -> None:
    """Of a cold blob its size is known by one HEAD, of a warm one by what is kept."""
    digest = upstream.add_blob(NAME, bytes(MIB))

    assert (await worker.registry.reader(NAME).stat_blob(digest)).size == MIB
    assert (upstream.count("HEAD"), upstream.count("GET"), leftovers(root)) == (1, 0, [])

    await worker.blob(digest)
    await worker.settled()
    assert (await worker.registry.reader(NAME).stat_blob(digest)).size == MIB
    assert upstream.count("HEAD") == 1


async def test_a_cold_blob_of_an_upstream_that_is_down_is_an_error_of_its_own(
    upstream: TestUpstream, worker: Worker, root: Path
) -> None:
    """Not an unknown blob: the client may try again; and when it does, all is well."""
    digest = upstream.add_blob(NAME, b"hello")
    await upstream.stop()

    for _ in range(2):
        with pytest.raises(UpstreamUnreachable):
            await worker.blob(digest)
    assert leftovers(root) == []

    await upstream.start()
    assert await worker.blob(digest) == b"hello"
