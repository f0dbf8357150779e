"""The grammar of paths."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.driver import PathInvalid
from entrepot.drivers.paths import check_listable, check_path, is_name, split_path

SEGMENTS = st.text("aZ09._-", min_size=1, max_size=12).filter(lambda text: text not in {".", ".."})


@given(st.lists(SEGMENTS, min_size=1, max_size=20))
def test_segments_make_a_path(segments: list[str]) -> None:
    """Segments of the alphabet joined by slashes are a path, whose last one is split off."""
    path = "".join(f"/{segment}" for segment in segments)
    check_path(path)
    directory, name = split_path(path)

    assert all(map(is_name, segments))
    assert segments[-1] == name
    assert path == f"{directory.rstrip('/')}/{name}"


@given(st.lists(st.text("a./\\\0\n %é", max_size=4), max_size=8).map("/".join))
def test_what_passes_stays_below_the_root(path: str) -> None:
    """Whatever is accepted has only names between its slashes, so no file system reads a way out of it."""
    try:
        check_path(path)
    except PathInvalid:
        return

    assert path.startswith("/")
    assert all(is_name(name) for name in path.split("/")[1:])


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\n", "\n", "lost+found", "a b", "é", "n" * 256])
def test_some_names_are_none(name: str) -> None:
    """A name that no path can end with is told apart."""
    assert not is_name(name)
    with pytest.raises(PathInvalid):
        check_path(f"/{name}/")


def test_the_root_is_listable_only() -> None:
    """`/` may be listed and asked for, and is no path of a file."""
    check_listable("/")
    check_listable("/a")
    with pytest.raises(PathInvalid):
        check_path("/")


def test_a_hostile_path_costs_no_time() -> None:
    """Paths made to confuse the grammar are refused in linear time."""
    began = time.process_time()
    for path in ("/a" * 1530 + "!", "/" + "." * 3000, "/." * 1500, "/" * 3000, "a" * (64 << 20)):
        with pytest.raises(PathInvalid):
            check_path(path)

    assert time.process_time() - began < 5
