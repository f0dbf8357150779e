"""The bounded map: what was used last stays, by weight, and it never holds more than its bound."""

import random

import pytest

from entrepot.storage.recent import Recent


def weigh(text: str) -> int:
    """The weight of the entries here."""
    return len(text)


def test_what_was_not_used_for_longest_leaves_first() -> None:
    """Asking for an entry counts as use, and so does putting it again."""
    recent: Recent[str, str] = Recent(3, weigh)
    for key in "abc":
        recent.put(key, "x")
    recent.get("a")
    recent.put("b", "y")

    recent.put("d", "x")

    assert [recent.get(key) for key in "abcd"] == ["x", "y", None, "x"]


def test_one_heavy_entry_makes_room_for_itself() -> None:
    """As many others leave as it takes, and no more."""
    recent: Recent[int, str] = Recent(10, weigh)
    for key in range(5):
        recent.put(key, "xx")

    recent.put(5, "x" * 5)

    assert [recent.get(key) for key in range(6)] == [None, None, None, "xx", "xx", "xxxxx"]


@pytest.mark.parametrize("before", [None, "old"])
def test_an_entry_heavier_than_the_bound_is_not_kept(before: str | None) -> None:
    """It drives nothing else out; an entry that it was to replace is gone, as it is no longer true."""
    recent: Recent[str, str] = Recent(10, weigh)
    recent.put("other", "x")
    if before is not None:
        recent.put("key", before)

    recent.put("key", "x" * 11)

    assert (recent.get("key"), recent.get("other")) == (None, "x")


def test_a_bound_of_nothing_keeps_nothing() -> None:
    """A cache that is switched off."""
    recent: Recent[str, bool] = Recent(0, lambda _: 1)
    recent.put("key", True)

    assert recent.get("key") is None


def test_what_was_taken_out_weighs_nothing() -> None:
    """Taking out what is there, or is not there, leaves room for exactly the rest."""
    recent: Recent[str, str] = Recent(4, weigh)
    recent.put("a", "xxx")

    assert (recent.pop("a"), recent.pop("a"), recent.pop("b")) == ("xxx", None, None)

    recent.put("c", "xxxx")
    assert recent.get("c") == "xxxx"


def test_the_bound_holds_whatever_happens() -> None:
    """A thousand steps at random against a model that keeps everything."""
    recent: Recent[int, str] = Recent(50, weigh)
    model: dict[int, str] = {}
    for _ in range(1000):
        key, value = random.randrange(20), "x" * random.randrange(12)
        match random.randrange(3):
            case 0:
                recent.put(key, value)
                model[key] = value
            case 1:
                assert recent.get(key) in (None, model.get(key))
            case _:
                assert recent.pop(key) in (None, model.pop(key, None))
        assert sum(map(weigh, recent._entries.values())) == recent._weight <= 50
