"""Patterns of repository names."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.config.globs import parse_glob
from entrepot.config.problems import Unfit


@pytest.mark.parametrize(
    ("glob", "matched", "missed"),
    [
        ("library/*", ["library/busybox"], ["library", "library/a/b", "my/library/a", "libraryx/a"]),
        ("team/**", ["team/a", "team/a/b/c"], ["team", "teams/a", "my/team/a"]),
        ("*", ["busybox"], ["library/busybox"]),
        ("**", ["busybox", "a/b/c"], []),
        ("**/cache", ["cache", "a/cache", "a/b/cache"], ["cache/a", "mycache", "a/mycache"]),
        ("a/**/z", ["a/z", "a/b/z", "a/b/c/z"], ["a", "z", "a/z/b", "ab/z"]),
        ("a/**/**/z", ["a/z", "a/b/z"], ["az"]),
        ("a/**/b/*/**/z", ["a/b/c/z", "a/x/b/c/y/z", "a/b/b/b/z"], ["a/b/z", "a/b/c"]),
        ("team/**/**", ["team/a"], ["team"]),
        ("busybox", ["busybox"], ["busybox2", "abusybox", "busybox/a"]),
        ("team-*", ["team-a", "team-"], ["team", "team-a/b"]),
        ("*-team", ["a-team", "-team"], ["a-teams", "a/b-team"]),
        ("a*b*c", ["abc", "a.b.c", "abcbc"], ["abcb", "ab", "a/b/c"]),
        ("a*/*z", ["a/z", "ab/yz"], ["a", "b/z", "a/b/z"]),
        ("ghcr.io/**", ["ghcr.io/a"], ["ghcrxio/a"]),
        ("a*", ["a", "ab"], ["ba"]),
    ],
)
def test_a_glob_matches_whole_names(glob: str, matched: list[str], missed: list[str]) -> None:
    """However the expression is used: a star stays within its component, two stars do not."""
    pattern = parse_glob(glob)

    for method in (pattern.search, pattern.match, pattern.fullmatch):
        assert [name for name in matched if not method(name)] == []
        assert [name for name in missed if method(name)] == []


@pytest.mark.parametrize(
    "glob",
    [
        *(
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            "a**",
            "**a",
            "***",
            "a/**b",
            "Team/*",
            "a?",
            "[ab]",
            "{a,b}",
            "a b",
            "ä",
            "a\n",
        ),
        *("!a", "a" * 256),
    ],
)
def test_anything_else_is_no_glob(glob: str) -> None:
    """What can match no name, or means something elsewhere, is refused."""
    with pytest.raises(Unfit, match="is not a pattern of repositories"):
        parse_glob(glob)


@pytest.mark.parametrize(
    "glob", ["*a" * 127, "*a*" + "a*" * 100 + "b", "/".join(["**/a*a*b"] * 25), "**/*/" * 50 + "b"]
)
@pytest.mark.parametrize("name", ["a" * 255, "/".join(["a"] * 128), "/".join(["aa"] * 85)])
def test_no_glob_takes_long(glob: str, name: str) -> None:
    """These would take for ever if every place were tried for every star."""
    assert parse_glob(glob).search(f"{name}c") is None


COMPONENTS = st.text("ab", min_size=1, max_size=4)
NAMES = st.lists(COMPONENTS, min_size=1, max_size=5)
GLOBS = st.lists(
    st.just("**") | st.text("ab*", min_size=1, max_size=5).filter(lambda text: "**" not in text), min_size=1, max_size=5
)


@given(GLOBS, NAMES)
def test_a_glob_matches_what_trying_everything_matches(glob: list[str], name: list[str]) -> None:
    """The expression, which tries little, agrees with a definition that tries all."""
    assert bool(parse_glob("/".join(glob)).search("/".join(name))) == fits(glob, name)


def fits(glob: list[str], name: list[str]) -> bool:
    if not glob:
        return not name
    first, rest = glob[0], glob[1:]
    if first == "**":
        return bool(name) if set(rest) <= {"**"} else any(fits(rest, name[taken:]) for taken in range(len(name) + 1))
    return bool(name) and component_fits(first, name[0]) and fits(rest, name[1:])


def component_fits(glob: str, text: str) -> bool:
    if not glob:
        return not text
    if glob[0] == "*":
        return any(component_fits(glob[1:], text[taken:]) for taken in range(len(text) + 1))
    return text[:1] == glob[0] and component_fits(glob[1:], text[1:])


@given(st.text("ab.*/-_A?[\\", max_size=20) | st.text())
def test_any_text_is_a_glob_or_unfit(text: str) -> None:
    """No text raises anything but Unfit."""
    with suppress(Unfit):
        assert isinstance(parse_glob(text), re.Pattern)
