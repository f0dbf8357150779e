"""YAML as the configuration's reader takes it."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.config.document import LONGEST_TEXT, Malformed, Plain, Tree, parse_document


def tree_of(text: str) -> Tree:
    tree, repeated = parse_document(text)
    assert repeated == []
    return tree


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a: 1\nb: [x, y]", {"a": "1", "b": ["x", "y"]}),
        ("a: {b: {c: d}}", {"a": {"b": {"c": "d"}}}),
        ("a:\nb: ~\nc: null\nd: ''", {"a": None, "b": None, "c": None, "d": ""}),
        ("a: 0123\nb: yes\nc: 1_0\nd: 2020-01-01", {"a": "0123", "b": "yes", "c": "1_0", "d": "2020-01-01"}),
        ("a: !!str 5", {"a": "5"}),
        ("a: |\n  x\n  y\n", {"a": "x\ny\n"}),
        ("---\na: b\n...\n", {"a": "b"}),
        ("\ufeffa: b", {"a": "b"}),
        ("1: a\nyes: b", {"1": "a", "yes": "b"}),
        ("", None),
        ("# nothing", None),
        ("word", "word"),
    ],
)
def test_scalars_keep_their_text(text: str, tree: Tree) -> None:
    """The tree holds what was written, and None for null."""
    assert tree_of(text) == tree


def test_only_an_unquoted_scalar_may_be_more_than_text() -> None:
    """Quotes, block style and !!str make text; without them the reader decides."""
    tree = tree_of("- 5\n- '5'\n- \"5\"\n- !!str 5\n- |-\n  5")

    assert isinstance(tree, list)
    assert [isinstance(one, Plain) for one in tree] == [True, False, False, False, False]


def test_aliases_and_merge_keys_are_followed() -> None:
    """`*` repeats what `&` named; `<<` gives keys that the mapping does not have itself, the first source first."""
    tree = tree_of("a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc: {<<: [*a, *b], x: 0}\nd: {<<: *a}\ne: *b")

    assert isinstance(tree, dict)
    assert tree["c"] == {"x": "0", "y": "2", "z": "4"}
    assert tree["d"] == {"x": "1", "y": "2"}
    assert tree["e"] == {"y": "3", "z": "4"}


def test_a_quoted_merge_key_is_a_key() -> None:
    """Only a bare `<<` merges."""
    assert tree_of("'<<': {a: b}") == {"<<": {"a": "b"}}


def test_repeated_keys_are_all_reported_and_the_first_counts() -> None:
    """Every key that its mapping has already is reported with its path."""
    tree, repeated = parse_document("a: 1\na: 2\nb: [{c: 1, c: 2}]\nb: 3")

    assert tree == {"a": "1", "b": [{"c": "1"}]}
    assert repeated == [("a",), ("b", 0, "c"), ("b",)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", r"line 1, column 6: expected ',' or '\]', but got '<stream end>'"),
        ("a: b\n\tc: d", r"line 2, column 1: found character '\\t' that cannot start any token"),
        ("a: b: c", "line 1, column 5: mapping values are not allowed here"),
        ("a: *b", "line 1, column 4: an alias whose anchor is not complete before it"),
        ("a: &a [*a]", "line 1, column 8: an alias whose anchor is not complete before it"),
        ("a: !x b", "line 1, column 4: a tag other than !!str"),
        ("a: !!python/name:os.system b", "line 1, column 4: a tag other than !!str"),
        ("a: !!int 5", "line 1, column 4: a tag other than !!str"),
        ("a: !!set {b}", "line 1, column 4: a tag other than !!str"),
        ("{[a]: b}", "line 1, column 2: a key must be a word"),
        ("a: b\n---\nc: d", "line 2, column 1: a second document begins here"),
        ("<<: x", "line 1, column 1: << takes a mapping"),
        ("a: b\nc: \x07", "line 2, column 4: this character is not allowed"),
        ('a: "\\ud800"', "line 1, column 4: half a surrogate pair"),
        ('a: "\\UFFFFFFFF"', "line 1, column 7: this escape or directive is out of range"),
        ("%YAML 1." + "9" * 5000 + "\n---\na", "this escape or directive is out of range"),
        ("a: " + "x" * LONGEST_TEXT, "longer than"),
        ("[" * 40 + "]" * 40, "nested deeper than 32 levels"),
        ("[" * 100_000, "nested deeper than 32 levels"),
        ("[" + "a," * 20_000 + "]", "more than 10000 values"),
    ],
)
def test_what_is_not_sound_yaml_is_refused_with_its_place(text: str, message: str) -> None:
    """One line says where, and what a reader cannot do with it."""
    with pytest.raises(Malformed, match=message):
        parse_document(text)


def test_a_billion_laughs_stay_small() -> None:
    """Aliases count as often as they are used, so that nine lines do not make a billion values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]

    with pytest.raises(Malformed, match="more than 10000 values, aliases followed"):
        parse_document("\n".join(lines))


@pytest.mark.parametrize("text", ["a: *hunter2", "a: !hunter2 b", "a: !hunter2!x b", "a: 'hunter2", "a: {b: hunter2"])
def test_no_message_repeats_the_text(text: str) -> None:
    """What stands in the file may be a secret, even where it is not YAML."""
    with pytest.raises(Malformed) as raised:
        parse_document(text)

    assert "hunter2" not in str(raised.value)


@given(st.text(st.sampled_from("ab:,[]{}&*!|>'\"%#@`\\-?<~ \n\t\u0000\ud800\U0001f40b"), max_size=60) | st.text())
def test_any_text_is_a_tree_or_malformed(text: str) -> None:
    """No text raises anything but Malformed."""
    with suppress(Malformed):
        tree, repeated = parse_document(text)

        assert tree is None or isinstance(tree, str | list | dict)
        assert isinstance(repeated, list)
