"""Flags, numbers, durations, words and untyped values, as settings give them."""

from __future__ import annotations

import pytest

from entrepot.config.document import parse_document
from entrepot.config.types import untyped
from tests.unit.config.reading import MINIMAL, configured, problems


@pytest.mark.parametrize("word", ["true", "True", "TRUE", "yes", "Yes", "on", "ON", "y", "Y"])
def test_every_yaml_1_1_word_for_yes_is_true(word: str) -> None:
    """Distribution reads YAML 1.1, where these are booleans."""
    assert configured(f"{MINIMAL}http: {{relativeurls: {word}}}").http.relativeurls


@pytest.mark.parametrize("word", ["false", "False", "no", "NO", "off", "Off", "n", ""])
def test_every_yaml_1_1_word_for_no_is_false(word: str) -> None:
    """So are these; null is the default."""
    assert not configured(f"{MINIMAL}http: {{relativeurls: {word}}}").http.relativeurls


@pytest.mark.parametrize("word", ["'true'", "1", "tRUE", "maybe", "[true]", "{}"])
def test_anything_else_is_no_flag(word: str) -> None:
    """Quoted, a word is text, as in Distribution."""
    assert problems(f"{MINIMAL}http: {{relativeurls: {word}}}") == [
        "http.relativeurls: needs true or false, without quotes"
    ]


@pytest.mark.parametrize(("text", "number"), [("5", 5), ("+5", 5), ("0x10", 16), ("1_000", 1000), ("0", 1000)])
def test_a_whole_number_is_read_as_yaml_writes_it(text: str, number: int) -> None:
    """Signs, hexadecimal and grouping are taken; zero is the default here."""
    assert configured(f"{MINIMAL}catalog: {{maxentries: {text}}}").catalog.maxentries == number


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("'5'", "needs a whole number, without quotes"),
        ("[5]", "needs a whole number, without quotes"),
        ("1.5", "needs a whole number"),
        ("five", "needs a whole number"),
        ("010", "needs a whole number"),
        ("٣", "needs a whole number"),
        ("1" * 25, "needs a whole number"),
        ("9223372036854775808", "is too large a number"),
        ("-1", "must not be negative"),
    ],
)
def test_anything_else_is_no_count(text: str, message: str) -> None:
    """The problem says what is needed; 010 is 8 to some readers and 10 to others."""
    assert problems(f"{MINIMAL}tags: {{maxtags: {text}}}") == [f"tags.maxtags: {message}"]


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30.0), ("'30s'", 30.0), ("1500000000", 1.5), ("0", 0.0)])
def test_a_duration_is_text_or_nanoseconds(text: str, seconds: float) -> None:
    """A bare number is nanoseconds, as in Go."""
    assert configured(f"{MINIMAL}http: {{draintimeout: {text}}}").http.draintimeout == seconds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("'30'", "'30' is not a duration such as 10s, 1h30m or 250ms"),
        ("1.5", "'1.5' is not a duration such as 10s, 1h30m or 250ms"),
        ("soon", "'soon' is not a duration such as 10s, 1h30m or 250ms"),
        ("[10s]", "needs text"),
        ("-1s", "must not be negative"),
        ("99999999999999999999", "is longer than 292 years"),
    ],
)
def test_anything_else_is_no_duration(text: str, message: str) -> None:
    """A quoted number has no unit, and a drain cannot take less than no time."""
    assert problems(f"{MINIMAL}http: {{draintimeout: {text}}}") == [f"http.draintimeout: {message}"]


def test_text_may_look_like_anything() -> None:
    """A setting that is text keeps what is written: no octal, no boolean, no float."""
    configuration = configured(f"{MINIMAL}proxy: {{remoteurl: 'https://a', username: yes, password: 0123}}")

    assert configuration.proxy.username == "yes"
    assert configuration.proxy.password.get_secret_value() == "0123"


def test_a_word_from_a_list_is_checked_and_suggested() -> None:
    """A wrong word is shown with those that are right and the nearest one."""
    assert problems(f"{MINIMAL}log: {{level: inof, formatter: xml}}") == [
        "log.level: 'inof' is not one of error, warn, info, debug, did you mean info?",
        "log.formatter: 'xml' is not one of text, json, logstash",
    ]


@pytest.mark.parametrize("level", ["Info", "INFO", "info"])
def test_a_level_may_be_in_any_case(level: str) -> None:
    """Distribution puts levels in lower case before it looks at them."""
    assert configured(f"{MINIMAL}log: {{level: {level}}}").level == "info"


def test_untyped_values_are_typed_by_yaml() -> None:
    """Booleans and integers become what they look like, anything else stays text, and quotes force text."""
    tree, _ = parse_document("{a: true, b: 5, c: '5', d: 10s, e: [no, {f: -1}], g: ~, h: y, i: 1.5, j: 'true'}")

    assert untyped(tree) == {
        "a": True,
        "b": 5,
        "c": "5",
        "d": "10s",
        "e": [False, {"f": -1}],
        "g": None,
        "h": "y",
        "i": "1.5",
        "j": "true",
    }


@pytest.mark.parametrize(
    "path", ["storage: {filesystem: {rootdirectory: %s}}", "http: {tls: {certificate: %s, key: a}}"]
)
def test_a_path_cannot_hold_nul(path: str) -> None:
    """No file system has such a name."""
    text = "version: 0.1\n" + ("" if "storage" in path else "storage: inmemory\n") + path % r'"a\0b"'

    assert [one.partition(": ")[2] for one in problems(text)] == ["a path cannot hold a NUL character"]
