"""The record of a download, as one process writes it and others read it."""

import os
from pathlib import Path

import pytest

from entrepot.mirror.spool import KEPT, RUNNING, VERIFIED, Progress, Spool, SpoolBusy, SpoolGone
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
        """Until it closes; then a follower may, and goes on with what is there."""
        path = str(root / self.PATH)
        leading = Spool.lead(path, NAME)
        with pytest.raises(SpoolBusy):
            Spool.lead(path, NAME)
        following = Spool.follow(path)
        assert not following.take_over()
        leading.report(Progress(10, 0, RUNNING, NAME))
        leading.append([memoryview(b"hello")])
        leading.close()

        assert following.take_over()

        assert (following.length(), following.progress()) == (5, Progress(10, 0, RUNNING, NAME))
        following.append([memoryview(b"world")])
        assert os.pread(following.descriptor, 10, 0) == b"helloworld"
        with pytest.raises(SpoolBusy):
            Spool.lead(path, NAME)
        following.close()

    def test_who_comes_later_goes_on_with_what_is_there(self, root: Path) -> None:
        """Under the name it was begun for."""
        path = str(root / self.PATH)
        first = Spool.lead(path, NAME)
        first.report(Progress(10, 0, RUNNING, NAME))
        first.append([memoryview(b"hello")])
        first.close()

        second = Spool.lead(path, OTHER)

        assert (second.length(), second.progress()) == (5, Progress(10, 0, RUNNING, NAME))
        second.close()

    @pytest.mark.parametrize("last", [None, Progress(4, 0, RUNNING, NAME), Progress(9, 9, 502, NAME)])
    def test_what_nobody_can_account_for_is_dropped(self, root: Path, last: Progress | None) -> None:
        """No record, more than the blob is said to have, or a failure that was not cleared away."""
        path = root / self.PATH
        first = Spool.lead(str(path), NAME)
        first.append([memoryview(b"hello")])
        if last is None:
            path.with_name("fill.progress").unlink()
        else:
            first.report(last)
        first.close()

        second = Spool.lead(str(path), OTHER)

        assert (second.length(), second.progress()) == (0, Progress(None, 0, RUNNING, OTHER))
        second.close()

    def test_a_fill_that_is_over_is_not_taken_over(self, root: Path) -> None:
        """Its file has become the blob, or is gone."""
        path = root / self.PATH
        leading = Spool.lead(str(path), NAME)
        following = Spool.follow(str(path))
        path.rename(path.with_name("data"))
        assert not following.take_over()
        leading.close()

        with pytest.raises(SpoolGone):
            following.take_over()
        following.close()

    def test_a_record_is_of_one_file(self, root: Path) -> None:
        """Who followed a fill that was dropped reads no word of the next one, though both write to the same place."""
        path = str(root / self.PATH)
        first = Spool.lead(path, NAME)
        following = Spool.follow(path)
        (root / self.PATH).unlink()
        second = Spool.lead(path, OTHER)

        second.report(Progress(5, 5, KEPT, OTHER))

        assert following.progress() != Progress(5, 5, KEPT, OTHER)
        for spool in (first, second, following):
            spool.close()

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
