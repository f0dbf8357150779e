"""The outbox: in order, for each endpoint by itself, whatever becomes of its file."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from entrepot.notifications.events import Event, rfc3339
from entrepot.notifications.outbox import Outbox


def event(number: int) -> Event:
    return Event("push", "a/b", str(number))


@pytest.fixture
def path(tmp_path: Path) -> str:
    """In a directory that is made when it is needed."""
    return str(tmp_path / "entrepot" / "outbox.db")


def waiting(outbox: Outbox, name: str) -> list[str]:
    return [one.event.body for one in outbox.after(name, 1000)]


def test_each_endpoint_has_its_own_place(path: str) -> None:
    """What one has been told waits for the other; what all have been told is gone."""
    outbox, other = Outbox(path), Outbox(path)
    outbox.register(["a", "b"])
    other.add([event(number) for number in range(5)])
    outbox.told("a", outbox.after("a", 3)[-1].position)

    assert waiting(outbox, "a") == ["3", "4"]
    assert waiting(outbox, "b") == ["0", "1", "2", "3", "4"]
    assert outbox.pending("b") == 5
    outbox.told("b", outbox.after("b", 4)[-1].position)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM events").fetchone() == (2,)
    outbox.close()
    other.close()


def test_what_was_written_before_the_first_endpoint_is_for_it(path: str) -> None:
    """A worker may be quicker than who tells; a later endpoint hears of what happens from then on."""
    outbox = Outbox(path)
    outbox.add([event(0)])
    outbox.register(["a"])
    assert waiting(outbox, "a") == ["0"]
    outbox.register(["a", "b"])
    outbox.add([event(1)])

    assert waiting(outbox, "a") == ["0", "1"]
    assert waiting(outbox, "b") == ["1"]
    outbox.close()


def test_an_endpoint_that_is_no_more_keeps_nothing(path: str) -> None:
    """Else the file would grow for ever."""
    outbox = Outbox(path)
    outbox.register(["a", "gone"])
    outbox.register(["a"])
    outbox.add([event(0)])
    outbox.told("a", outbox.after("a", 1)[0].position)

    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM events").fetchone() == (0,)
    outbox.close()


def test_it_is_bounded(path: str) -> None:
    """The oldest go, and their number is told."""
    outbox = Outbox(path, most=10)
    outbox.register(["a"])
    assert outbox.add([event(number) for number in range(10)]) == 0
    assert outbox.add([event(number) for number in range(10, 13)]) == 3

    assert waiting(outbox, "a") == [str(number) for number in range(3, 13)]
    outbox.close()


@pytest.mark.parametrize("damage", [b"no database", b"SQLite format 3\0" + bytes(4000)])
def test_a_damaged_file_is_set_aside(path: str, damage: bytes) -> None:
    """And a new one begun."""
    Path(path).parent.mkdir()
    Path(path).write_bytes(damage)
    outbox = Outbox(path)
    outbox.register(["a"])
    outbox.add([event(1)])

    assert waiting(outbox, "a") == ["1"]
    assert [one.read_bytes() for one in Path(path).parent.glob("outbox.db.damaged-*[0-9]")] == [damage]
    outbox.close()


def test_a_file_that_is_taken_away_is_made_again(path: str) -> None:
    """With a new connection at the latest."""
    outbox = Outbox(path)
    outbox.register(["a"])
    outbox.add([event(0)])
    outbox.close()
    for one in Path(path).parent.iterdir():
        one.unlink()

    outbox.register(["a"])
    outbox.add([event(1)])
    assert waiting(outbox, "a") == ["1"]
    outbox.close()


def unlink(path: str) -> None:
    """As somebody does who thinks that it is of no use."""
    for one in Path(path).parent.iterdir():
        one.unlink()


def damage(path: str) -> None:
    """All but the first page, while processes have it open."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = Path(path).read_bytes()
    with Path(path).open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (len(content) - 4096))


@pytest.mark.parametrize("spoil", [unlink, damage])
def test_a_file_that_is_replaced_is_for_the_same_endpoints(path: str, spoil: Callable[[str], None]) -> None:
    """All that comes into it, whatever place they had in the one before; and the log says so once."""
    outbox = Outbox(path)
    outbox.register(["a", "b"])
    outbox.add([event(number) for number in range(10)])
    last = outbox.after("a", 10)[-1].position
    spoil(path)
    with capture_logs() as lines:
        other = Outbox(path)  # a worker's, which has no endpoints
        other.add([event(10), event(11)])
        outbox.told("a", last)

        assert waiting(outbox, "a") == ["10", "11"]
        assert waiting(outbox, "b") == ["10", "11"]
        outbox.told("a", outbox.after("a", 1)[0].position)
        outbox.close()
        assert waiting(outbox, "a") == ["11"]
    assert [line["event"] for line in lines].count("outbox_replaced") == 1
    outbox.close()
    other.close()


@pytest.mark.parametrize("spoil", [unlink, damage])
def test_a_file_that_only_the_delivering_process_finds_replaced(path: str, spoil: Callable[[str], None]) -> None:
    """Before anybody has written to the new one."""
    outbox = Outbox(path)
    outbox.register(["a"])
    outbox.add([event(0)])
    spoil(path)
    outbox.close()

    assert waiting(outbox, "a") == []
    outbox.add([event(1)])
    assert waiting(outbox, "a") == ["1"]
    outbox.close()


@pytest.mark.parametrize(("nanoseconds", "text"), [(0, ".000000000"), (1_700_000_000_123_456_789, ".123456789")])
def test_times_are_written_as_go_writes_them(nanoseconds: int, text: str) -> None:
    """To the nanosecond, with the offset, or Z."""
    written = rfc3339(nanoseconds)

    assert text in written
    assert written.endswith("Z") or written[-6] in "+-"


def test_its_bytes_are_bounded(path: str) -> None:
    """Whatever clients push; the newest stay, and a batch is small enough for memory."""
    outbox = Outbox(path, most_bytes=1 << 20)
    outbox.register(["a"])
    dropped = sum(outbox.add([Event("push", "a/b", f"{number} " + "x" * 50_000)]) for number in range(60))

    left = waiting(outbox, "a")
    assert dropped == 60 - len(left) > 30
    assert left[-1].startswith("59 ")
    outbox.add([Event("push", "a/b", "y" * (3 << 20)), Event("push", "a/b", "z" * (3 << 20))])
    assert len(outbox.after("a", 1000)) <= 2
    outbox.close()
