"""Regular expressions in RE2's syntax."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.config.patterns import parse_pattern
from entrepot.config.problems import Unfit
from tests.unit.config.reading import MINIMAL, configured, problems


@pytest.mark.parametrize(
    ("pattern", "found", "missed"),
    [
        (r"^https?://([^/]+\.)*example\.com/", "http://www.example.com/x", "http://example.org/"),
        (r"^http://a$", "http://a", "http://a\n"),
        (r"^http://a\z", "http://a", "http://a\n"),
        (r"(?m)^http://a$", "http://a\n", "http://ab"),
        (r"(?i)EXAMPLE", "example", "exam"),
        (r"(?P<host>example)", "example", "exam"),
        (r"a[$]b", "a$b", "ab"),
        (r"a[]^]b", "a]b", "axb"),
        (r"\$\d", "$5", "$٣"),
        (r"a*?b{2,}?c", "abbc", "abc"),
        (r"", "", None),
    ],
)
def test_an_expression_means_what_it_means_in_re2(pattern: str, found: str, missed: str | None) -> None:
    """`$` is the very end, digits are ASCII, and a search may begin anywhere."""
    compiled = parse_pattern(pattern)

    assert compiled.search(found)
    assert missed is None or not compiled.search(missed)


@pytest.mark.parametrize(
    "pattern",
    [
        "(?=a)",
        "(?!a)",
        "(?<=a)b",
        "(?<!a)b",
        "(?>a)",
        "(a)(?(1)b)",
        "(?P<a>b)(?P=a)",
        "(?#a)",
        "a*+",
        "a++",
        "a?+",
        "a{1}+",
    ],
)
def test_what_re2_cannot_do_is_refused(pattern: str) -> None:
    """Such an expression stops Distribution, and may take for ever here."""
    with pytest.raises(Unfit, match="takes no look-around, back-reference or possessive quantifier"):
        parse_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (r"(a)\1", "means nothing"),
        (r"a\Z", "means nothing"),
        ("[[:alpha:]]", "must be written out"),
        ("(", "is not a regular expression"),
        (")(", "is not a regular expression"),
        ("a(?i)b", "is not a regular expression"),
        ("[a", "is not a regular expression"),
        ("a{2}{3}", "is not a regular expression"),
        ("[[a]", "is not a regular expression"),
        (r"\pL", "is not a regular expression"),
        ("\\", "is not a regular expression"),
        ("a" * 1001, "at most 1000 characters"),
    ],
)
def test_what_is_no_expression_is_refused(pattern: str, message: str) -> None:
    """Nothing is read in another sense than RE2's."""
    with pytest.raises(Unfit, match=message):
        parse_pattern(pattern)


def test_patterns_can_be_joined() -> None:
    """Each keeps its flags to itself."""
    joined = re.compile("|".join(parse_pattern(one).pattern for one in ("(?i)A$|b", r"(?s)c.d", r"\d")))

    assert [bool(joined.search(text)) for text in ("a", "B", "c\nd", "C\nD", "5", "٣")] == [
        True,
        True,
        True,
        False,
        True,
        False,
    ]


def test_patterns_are_compiled_in_the_configuration() -> None:
    """A bad one is a problem of its own position in the list."""
    urls = "validation: {manifests: {urls: {allow: [%s], deny: [b]}}}"
    configuration = configured(MINIMAL + urls % "a, c")

    assert [one.search("c") is not None for one in configuration.validation.manifests.urls.allow] == [False, True]
    assert problems(MINIMAL + urls % "a, '*'") == [
        "validation.manifests.urls.allow[1]: is not a regular expression: nothing to repeat at position 0"
    ]


@given(st.text(st.sampled_from("ab()[]{}?*+|^$\\.:=!<>P#,-19z"), max_size=30) | st.text())
def test_any_text_is_an_expression_or_unfit(text: str) -> None:
    """No text raises anything but Unfit."""
    with suppress(Unfit):
        assert isinstance(parse_pattern(text), re.Pattern)
