"""The steps by which content leaves, one by one, and what comes between them."""

import os
from pathlib import Path

import pytest

from entrepot.drivers.filesystem import FilesystemDriver
from entrepot.oci.digest import Digest
from entrepot.storage import layout
from entrepot.storage.evicted import Identity, identify, remove, rename_away, rename_back
from entrepot.storage.eviction import Eviction
from entrepot.storage.free_space import FreeSpace

DIGEST = Digest.of(b"content")


@pytest.fixture
def data(files: FilesystemDriver) -> Path:
    """Where the content lies."""
    path = Path(files.local_path(layout.blob_data(DIGEST)))
    path.parent.mkdir(parents=True)
    path.write_bytes(b"content")
    return path


@pytest.fixture
def evicted(data: Path) -> Path:
    """Where it lies before it is removed."""
    return data.with_name("evicted")


def mark(data: Path) -> Identity:
    """What is to leave."""
    found = identify(str(data))
    assert found is not None
    return found


def bring(data: Path, content: bytes = b"content") -> None:
    """Put new content in place, as a push or a fill does."""
    new = data.with_name("new")
    new.write_bytes(content)
    new.rename(data)


def test_content_that_came_since_is_not_renamed(data: Path, evicted: Path) -> None:
    """It has the same name, and is another file."""
    marked = mark(data)
    bring(data)
    assert not rename_away(str(data), str(evicted), marked)
    assert data.exists()
    assert not evicted.exists()


def test_content_that_was_changed_since_is_not_renamed(data: Path, evicted: Path) -> None:
    """The same file, with another time of change: somebody has to do with it."""
    marked = mark(data)
    assert not rename_away(str(data), str(evicted), marked._replace(changed_ns=marked.changed_ns - 1))
    assert data.exists()


def test_content_that_is_gone_is_not_renamed(data: Path, evicted: Path) -> None:
    """Somebody else was quicker."""
    marked = mark(data)
    data.unlink()
    assert not rename_away(str(data), str(evicted), marked)


def test_what_was_renamed_is_removed_with_its_directory(data: Path, evicted: Path) -> None:
    """And its bytes are told."""
    assert rename_away(str(data), str(evicted), mark(data))
    assert remove(str(data), str(evicted)) == 7
    assert not data.parent.exists()


def test_new_content_survives_the_removal_of_the_old(data: Path, evicted: Path) -> None:
    """It came after the rename."""
    rename_away(str(data), str(evicted), mark(data))
    bring(data, b"new one")
    remove(str(data), str(evicted))
    assert [path.name for path in data.parent.iterdir()] == ["data"]
    assert data.read_bytes() == b"new one"


def test_what_was_renamed_comes_back_as_the_same_file(data: Path, evicted: Path) -> None:
    """For whoever links it again."""
    marked = mark(data)
    rename_away(str(data), str(evicted), marked)
    assert rename_back(str(data), str(evicted))
    assert mark(data).inode == marked.inode
    assert not evicted.exists()


def test_what_comes_back_replaces_nothing(data: Path, evicted: Path) -> None:
    """New content is as good, and may be in use."""
    rename_away(str(data), str(evicted), mark(data))
    bring(data, b"new one")
    assert not rename_back(str(data), str(evicted))
    assert data.read_bytes() == b"new one"
    assert not evicted.exists()


def test_every_step_may_be_done_again(data: Path, evicted: Path) -> None:
    """After a crash nobody knows how far it came."""
    marked = mark(data)
    rename_away(str(data), str(evicted), marked)
    assert not rename_away(str(data), str(evicted), marked)
    remove(str(data), str(evicted))
    assert remove(str(data), str(evicted)) == 0
    assert not rename_back(str(data), str(evicted))


async def test_what_is_reached_through_a_symlink_is_not_marked(files: FilesystemDriver, tmp_path: Path) -> None:
    """Nothing outside of the root is ever renamed."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "data").write_bytes(b"content")
    place = Path(files.local_path(layout.blob_data(DIGEST))).parent
    place.parent.mkdir(parents=True)
    place.symlink_to(outside)
    eviction = Eviction(files, files, 0.0)
    assert await eviction.mark([DIGEST, Digest.of(b"absent")]) == {}


def test_what_is_short_of_the_bound_has_to_go_and_a_tenth_more(tmp_path: Path) -> None:
    """In bytes, as a share, or whichever is more; nothing where nothing is bound or known."""
    free = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
    assert FreeSpace(str(tmp_path)).shortage() == 0
    assert FreeSpace(str(tmp_path / "absent"), 1.0).shortage() == 0
    wanted = free * 2
    assert FreeSpace(str(tmp_path), size=wanted).shortage() == pytest.approx(free * 1.2, rel=0.2)
    assert FreeSpace(str(tmp_path), share=1.0).shortage() > 0
