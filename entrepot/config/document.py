"""YAML text to a tree of mappings, lists and scalars, as strictly as an operator needs.

Scalars stay text, because their reader decides their type: `version: 0.1` is the text `0.1`, a password `0123` keeps
its nought. Repeated keys are reported, and neither aliases nor nesting can make the tree larger than a fixed bound.
Error texts name a line and a column and never repeat the text found there, which may be a secret.
"""

from __future__ import annotations

import re
from typing import Protocol, TypeAlias

import yaml

from entrepot.config.problems import Path

LONGEST_TEXT = 256 * 1024
"""Characters; a configuration with every key is about 10,000."""

_MOST_NODES = 10_000
_DEEPEST = 32
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_STRING_TAGS = frozenset({"!", "tag:yaml.org,2002:str"})
_QUOTED = re.compile(r"(['\"])(.*?)\1")
_HARMLESS_QUOTE = re.compile(r".{0,2}|<[a-z ]*>")  # a single character, as such or escaped, or a token's name


class Plain(str):
    """A scalar written without quotes, which may be meant as a number or a boolean; a quoted one is a bare `str`."""

    __slots__ = ()


Tree: TypeAlias = "str | list[Tree] | dict[str, Tree] | None"


class _Mark(Protocol):
    line: int
    column: int


class Malformed(ValueError):
    """The text is not one YAML document within the bounds; the message begins with line and column where known."""


def parse_document(text: str) -> tuple[Tree, list[Path]]:
    """The tree, and the path of every key that its mapping already had (the first one counts). Raises Malformed."""
    if len(text) > LONGEST_TEXT:
        raise Malformed(f"longer than {LONGEST_TEXT} characters")
    try:
        reader = _Reader(text)
        return reader.document(), reader.repeated
    except yaml.MarkedYAMLError as error:
        raise _malformed(
            _without_quotes(error.problem or "not YAML"), error.problem_mark or error.context_mark
        ) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, error.position - before.rfind("\n")
        raise Malformed(f"line {line}, column {column}: this character is not allowed in YAML") from None


def _malformed(text: str, mark: _Mark | None) -> Malformed:
    return Malformed(text if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: {text}")


def _without_quotes(text: str) -> str:
    return _QUOTED.sub(lambda quoted: quoted[0] if _HARMLESS_QUOTE.fullmatch(quoted[2]) else "…", text)


class _Reader:
    """Builds the tree from PyYAML's events: its composer would first recurse through, and keep, any depth."""

    def __init__(self, text: str) -> None:
        self._loader = yaml.SafeLoader(text)
        self._anchors: dict[str, tuple[Tree, int]] = {}
        self._nodes = 0
        self.repeated: list[Path] = []

    def document(self) -> Tree:
        self._next()
        if isinstance(self._next(), yaml.StreamEndEvent):
            return None
        tree = self._node(self._next(), ())
        self._next()
        end = self._next()
        if not isinstance(end, yaml.StreamEndEvent):
            raise _malformed("a second document begins here; only one is read", end.start_mark)
        return tree

    def _next(self) -> yaml.Event:
        try:
            event: yaml.Event = self._loader.get_event()  # type: ignore[no-untyped-call]  # so in types-PyYAML
            return event
        except (ValueError, OverflowError):  # an escape beyond Unicode, a directive with an endless number
            raise _malformed("this escape or directive is out of range", self._loader.get_mark()) from None

    def _node(self, event: yaml.Event, path: Path) -> Tree:
        before = self._nodes
        self._count(1, event)
        if len(path) > _DEEPEST:
            raise _malformed(f"nested deeper than {_DEEPEST} levels", event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        tree = self._built(event, path)
        if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            self._anchors[event.anchor] = (tree, self._nodes - before)
        return tree

    def _count(self, nodes: int, event: yaml.Event) -> None:
        self._nodes += nodes
        if self._nodes > _MOST_NODES:
            raise _malformed(f"more than {_MOST_NODES} values, aliases followed", event.start_mark)

    def _alias(self, event: yaml.AliasEvent) -> Tree:
        if event.anchor is None or event.anchor not in self._anchors:
            raise _malformed("an alias whose anchor is not complete before it", event.start_mark)
        tree, nodes = self._anchors[event.anchor]
        self._count(nodes, event)
        return tree

    def _built(self, event: yaml.Event, path: Path) -> Tree:
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event)
        if isinstance(event, yaml.CollectionStartEvent) and event.tag is not None:
            raise _malformed("a tag other than !!str", event.start_mark)
        return self._list(path) if isinstance(event, yaml.SequenceStartEvent) else self._mapping(path)

    def _list(self, path: Path) -> Tree:
        items: list[Tree] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            items.append(self._node(event, (*path, len(items))))
        return items

    def _mapping(self, path: Path) -> Tree:
        own: dict[str, Tree] = {}
        merged: dict[str, Tree] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise _malformed("a key must be a word", event.start_mark)
            key = _text(event)
            value = self._node(self._next(), (*path, key))
            if key == "<<" and event.style is None:
                merged = {**_merge_source(value, event), **merged}
            elif key in own:
                self.repeated.append((*path, key))
            else:
                own[key] = value
        return {**merged, **own}


def _merge_source(value: Tree, event: yaml.Event) -> dict[str, Tree]:
    merged: dict[str, Tree] = {}
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, dict):
            raise _malformed("<< takes a mapping or a list of mappings", event.start_mark)
        merged = {**one, **merged}
    return merged


def _scalar(event: yaml.ScalarEvent) -> Tree:
    text = _text(event)
    if event.tag is None and event.style is None:
        return None if text in _NULL else Plain(text)
    if event.tag is not None and event.tag not in _STRING_TAGS:
        raise _malformed("a tag other than !!str", event.start_mark)
    return text


def _text(event: yaml.ScalarEvent) -> str:
    text = event.value
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise _malformed("half a surrogate pair is not a character", event.start_mark)
    return text
