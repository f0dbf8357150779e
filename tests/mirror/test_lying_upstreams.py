"""An upstream that cuts, stalls or lies: no client ever holds the whole of a wrong blob, and nothing of it is kept."""

import asyncio
import os
from pathlib import Path

import pytest

from entrepot.mirror.fill import HELD_BACK
from entrepot.oci.digest import Digest
from entrepot.oci.errors import BlobUnknown, Denied, TooManyRequests, Unauthorized, UpstreamFailed
from entrepot.testing.faults import (
    Fault,
    added_header,
    body,
    chunked,
    cut,
    endless,
    flipped,
    header,
    lying_length,
    reset,
    status,
    until_close,
)
from entrepot.testing.registry_contents import read_body
from entrepot.testing.upstreams import TestUpstream
from tests.crash.layout_check import check
from tests.mirror.conftest import NAME, Start, Worker, leftovers

SIZE = 3 * (1 << 20) + 5
SMALL = 1000
OTHER = os.urandom(SIZE)

# What a client may have got of a large blob before the truth came out: never all of it.
FAULTS: dict[str, Fault] = {
    "first byte wrong": flipped(0),
    "last byte wrong": flipped(SIZE - 1),
    "other bytes": body(OTHER),
    "other bytes in chunks": lambda reply: chunked()(body(OTHER)(reply)),
    "a shorter blob": body(OTHER[:-1000]),
    "a page for people": body(b"<html>Please log in.</html>"),
    "nothing": body(b""),
    "nothing without a length": lambda reply: until_close()(body(b"")(reply)),
    "more in chunks": lambda reply: chunked()(body(OTHER + b"x")(reply)),
    "a length that is too large": lambda reply: cut(SIZE)(lying_length(SIZE + 1)(reply)),
    "a length that is too small": lying_length(SIZE - 1),
    "an encoded body": header("Content-Encoding", "gzip"),
    "part of it": status(206, OTHER[:1000], Content_Range=f"bytes 0-999/{SIZE}"),
}
BREAKS: dict[str, Fault] = {
    "cut in the middle": cut(SIZE // 2),
    "cut before the last byte": cut(SIZE - 1),
    "reset in the middle": reset(SIZE // 2),
    "cut, without a length": lambda reply: cut(SIZE // 2)(until_close()(reply)),
    "cut, in chunks": lambda reply: cut(SIZE // 2)(chunked()(reply)),
}
BEFORE: dict[str, tuple[Fault, type[Exception]]] = {
    "cut before the head": (cut(-1), UpstreamFailed),
    "reset before the head": (reset(-1), UpstreamFailed),
    "cut after the head": (cut(0), UpstreamFailed),
    "not found": (status(404), BlobUnknown),
    "gone": (status(410), BlobUnknown),
    "not authorized": (status(401), Unauthorized),
    "forbidden": (status(403), Denied),
    "broken": (status(500, b"oops"), UpstreamFailed),
    "unavailable": (status(503), UpstreamFailed),
    "teapot": (status(418), UpstreamFailed),
    "redirected to nowhere": (status(302), UpstreamFailed),
    "redirected to a file": (status(302, Location="file:///etc/passwd"), UpstreamFailed),
    "two lengths": (added_header("Content-Length", "7"), UpstreamFailed),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_a_large_blob_that_is_not_right_is_never_whole(
    upstream: TestUpstream, start: Start, root: Path, fault: Fault
) -> None:
    """Every client, in every worker, is refused or cut short; the next download is right."""
    content = os.urandom(SIZE)
    digest = upstream.add_blob(NAME, content)
    workers = [start(), start()]
    rule = upstream.misbehave(fault, path="/blobs/", method="GET")

    answers = await asyncio.gather(
        *(worker.blob(digest) for worker in workers for _ in range(2)), return_exceptions=True
    )
    for worker in workers:
        await worker.settled()

    assert rule.met >= 1
    for answer in answers:
        assert isinstance(answer, UpstreamFailed) or (isinstance(answer, bytes) and len(answer) < SIZE - HELD_BACK // 2)
    assert (leftovers(root), [*root.rglob("data"), *root.rglob("link")], check(root)) == ([], [], [])
    upstream.behave()
    assert await workers[1].blob(digest) == content
    assert await workers[0].blob(digest) == content


@pytest.mark.parametrize("fault", BREAKS.values(), ids=BREAKS)
async def test_a_download_that_breaks_off_is_gone_on_with(
    upstream: TestUpstream, start: Start, root: Path, fault: Fault
) -> None:
    """From the byte it had reached, as often as it takes; no client notices."""
    content = os.urandom(SIZE)
    digest = upstream.add_blob(NAME, content)
    workers = [start(), start()]
    upstream.misbehave(fault, path="/blobs/", method="GET", times=1)

    answers = await asyncio.gather(*(worker.blob(digest) for worker in workers for _ in range(2)))

    assert answers == [content] * 4
    assert upstream.count("GET") == 2
    for worker in workers:
        await worker.settled()
    assert (leftovers(root), check(root)) == ([], [])


async def test_a_download_that_brings_nothing_more_is_given_up(upstream: TestUpstream, worker: Worker) -> None:
    """After a few tries in a row; each that brings a good part counts anew."""
    content = os.urandom(SIZE)
    digest = upstream.add_blob(NAME, content)
    upstream.misbehave(cut(0), path="/blobs/", method="GET")
    upstream.misbehave(cut(SIZE // 2), path="/blobs/", method="GET", times=1)

    got = await worker.blob(digest)

    assert got == content[: len(got)]
    assert len(got) <= SIZE - HELD_BACK
    assert upstream.count("GET") == 4


@pytest.mark.parametrize("brought", [1, SIZE // 100])
async def test_a_download_that_goes_on_by_very_little_is_given_up(
    upstream: TestUpstream, worker: Worker, brought: int
) -> None:
    """Its clients would wait for ever, and the upstream be asked for ever."""
    digest = upstream.add_blob(NAME, os.urandom(SIZE))
    upstream.misbehave(cut(brought), path="/blobs/", method="GET")

    await worker.blob(digest)

    assert upstream.count("GET") == 4


async def test_a_download_that_breaks_off_all_the_time_but_goes_on_comes_to_its_end(
    upstream: TestUpstream, worker: Worker
) -> None:
    """However often that is."""
    content = os.urandom(SIZE)
    digest = upstream.add_blob(NAME, content)
    upstream.misbehave(cut(SIZE // 9), path="/blobs/", method="GET")

    assert await worker.blob(digest) == content

    assert upstream.count("GET") == 10


@pytest.mark.parametrize("fault", [flipped(5), body(b""), body(b"x" * 2000), lying_length(SMALL - 1)])
@pytest.mark.parametrize("size", [SMALL, HELD_BACK])
async def test_a_small_blob_that_is_not_right_is_an_error(
    upstream: TestUpstream, worker: Worker, root: Path, fault: Fault, size: int
) -> None:
    """Nothing of it could be sent yet, so that the client is told instead of cut off."""
    content = os.urandom(size)
    digest = upstream.add_blob(NAME, content)
    upstream.misbehave(fault, path="/blobs/", method="GET", times=1)

    with pytest.raises(UpstreamFailed):
        await worker.open(digest)

    assert leftovers(root) == []
    assert await worker.blob(digest) == content


@pytest.mark.parametrize(("fault", "error"), BEFORE.values(), ids=BEFORE)
async def test_a_failure_before_the_first_byte_is_told_to_all_who_wait(
    upstream: TestUpstream, start: Start, root: Path, fault: Fault, error: type[Exception]
) -> None:
    """By what it means; nobody hangs, nothing is left, and the next try is a new one."""
    content = os.urandom(SIZE)
    digest = upstream.add_blob(NAME, content)
    workers = [start(), start()]
    upstream.misbehave(fault, path="/blobs/", method="GET")

    answers = await asyncio.gather(
        *(worker.blob(digest) for worker in workers for _ in range(3)), return_exceptions=True
    )

    # Where the head alone has come, what was promised can not be kept.
    assert all(isinstance(answer, error) or answer == b"" for answer in answers)
    for worker in workers:
        await worker.settled()
    assert leftovers(root) == []
    upstream.behave()
    assert await asyncio.gather(*(worker.blob(digest) for worker in workers)) == [content] * 2


async def test_an_upstream_that_is_asked_too_often_says_when_to_come_back(
    upstream: TestUpstream, worker: Worker
) -> None:
    """The client learns it, too."""
    digest = upstream.add_blob(NAME, b"hello")
    upstream.misbehave(status(429, Retry_After="17"), path="/blobs/", times=1)

    with pytest.raises(TooManyRequests) as refused:
        await worker.blob(digest)

    assert refused.value.headers == (("Retry-After", "17"),)
    with pytest.raises(TooManyRequests):
        await worker.blob(digest)
    assert upstream.count() == 1


async def test_an_endless_blob_ends(upstream: TestUpstream, worker: Worker, root: Path) -> None:
    """An upstream that gives no length is asked for it, and broken off when it sends more."""
    digest = upstream.add_blob(NAME, OTHER)
    upstream.misbehave(endless(), path="/blobs/", method="GET", times=1)

    with pytest.raises(UpstreamFailed):
        await read_whole(worker, digest)
    await worker.settled()

    assert leftovers(root) == []
    assert await worker.blob(digest) == OTHER


async def read_whole(worker: Worker, digest: Digest) -> bytes:
    """A blob to its end; to be cut is a failure here."""
    blob = await worker.open(digest)
    content = await read_body(blob.body)
    if len(content) != blob.descriptor.size:
        raise UpstreamFailed(f"{len(content)} of {blob.descriptor.size} bytes")
    return content


async def test_a_blob_whose_size_nobody_tells_is_refused(upstream: TestUpstream, worker: Worker, root: Path) -> None:
    """What has no bound is not begun."""
    digest = upstream.add_blob(NAME, OTHER)
    upstream.answers_ranges = False
    upstream.misbehave(chunked(), path="/blobs/")

    with pytest.raises(UpstreamFailed):
        await worker.open(digest)
    await worker.settled()

    assert leftovers(root) == []


async def test_a_damaged_blob_is_not_replaced_by_a_wrong_one(
    upstream: TestUpstream, worker: Worker, root: Path
) -> None:
    """What was right before a failed download is right after it."""
    kept = upstream.add_blob(NAME, OTHER)
    assert await worker.blob(kept) == OTHER
    await worker.settled()
    upstream.misbehave(flipped(7), path="/blobs/", method="GET")

    with pytest.raises(UpstreamFailed):
        await worker.open(upstream.add_blob(NAME, b"something"))

    assert await worker.blob(kept) == OTHER
    assert check(root) == []
