"""Kept blobs that a disk has cut short or made longer: the wrong size is found when they are opened (F-104)."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from entrepot.mirror.fill import HELD_BACK
from entrepot.oci.digest import Digest
from entrepot.registry import Outcome
from entrepot.storage import layout
from entrepot.testing.upstreams import TestUpstream, ThreadedUpstream
from entrepot.wire.ranges import Span
from tests.mirror.conftest import NAME, Worker
from tests.mirror.serving import MIB, Mirror, started, wait_until


def shorten(path: Path) -> None:
    """Its last byte is gone."""
    os.truncate(path, path.stat().st_size - 1)


def lengthen(path: Path) -> None:
    """It has one byte too many."""
    with path.open("ab") as file:
        file.write(b"x")


@pytest.fixture(params=[shorten, lengthen])
def damage(request: pytest.FixtureRequest) -> Callable[[Path], None]:
    """What became of the file."""
    made: Callable[[Path], None] = request.param
    return made


@pytest.mark.parametrize("size", [1000, HELD_BACK, MIB])
async def test_a_blob_of_another_size_is_fetched_anew(
    root: Path, upstream: TestUpstream, worker: Worker, size: int, damage: Callable[[Path], None]
) -> None:
    """Whole, in part, or only its head: each is right, and the file is whole again."""
    content = os.urandom(size)
    digest = upstream.add_blob(NAME, content)
    data = root / layout.blob_data(digest)[1:]
    await worker.blob(digest)
    await worker.settled()

    damage(data)
    assert (await worker.registry.reader(NAME).stat_blob(digest)).size == size
    assert not data.exists()
    assert await worker.blob(digest) == content
    await worker.settled()
    damage(data)
    assert await worker.blob(digest, select=lambda size: Span(1, size)) == content[1:]
    await worker.settled()
    assert data.read_bytes() == content


async def test_a_damaged_blob_reaches_no_other_repository(root: Path, upstream: TestUpstream, worker: Worker) -> None:
    """Content that came by way of another one is looked at as well."""
    content = os.urandom(MIB)
    digest = upstream.add_blob(NAME, content)
    upstream.add_blob("library/other", content)
    await worker.blob(digest)
    await worker.settled()
    shorten(root / layout.blob_data(digest)[1:])

    assert await worker.blob(digest, type(NAME).parse("library/other")) == content


def test_a_server_that_has_answered_with_it_gives_no_damaged_blob(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    """Not where it answers at once either; a restart in between changes nothing."""
    with ThreadedUpstream() as upstream, started(tmp_path, upstream) as server:
        mirror = Mirror(server, upstream)
        blobs = [mirror.add_blob(size) for size in (1000, MIB, 3 * MIB)]
        for digest, content in blobs:
            assert mirror.get(f"blobs/{digest}").content == content
        wait_until(lambda: sizes(server.root) >= {(str(digest), len(content)) for digest, content in blobs})
        for _ in range(8):
            assert all(mirror.get(f"blobs/{digest}").headers["X-Cache"] == "HIT" for digest, _ in blobs)
        for digest, _ in blobs:
            damage(mirror.data(digest))
        for digest, content in blobs:
            answers = [mirror.get(f"blobs/{digest}") for _ in range(8)]
            assert all(answer.content == content for answer in answers)
            assert answers[0].headers["X-Cache"] == Outcome.MISS.value.upper()
        assert "blob_damaged" in server.output()


def sizes(root: Path) -> set[tuple[str, int]]:
    """What the index knows; nothing before it is made."""
    try:
        with closing(sqlite3.connect(f"file:{root}/entrepot/index.db?mode=ro", uri=True)) as index:
            rows = index.execute("SELECT digest, size FROM links").fetchall()
    except sqlite3.OperationalError:
        return set()
    return {(str(Digest.parse(digest)), size) for digest, size in rows}
