"""The record of a download, as one process writes it and others read it."""

import os
from pathlib import Path

import pytest

from entrepot.mirror.spool import KEPT, RUNNING, VERIFIED, Progress, Spool, SpoolBusy
from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName
from entrepot.storage import layout
from tests.mirror.conftest import NAME, Worker

OTHER = RepositoryName.parse("library/other")
LONGEST = RepositoryName.parse("a/" * 127 + "a")


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
