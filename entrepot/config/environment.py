"""Overrides from the environment: `REGISTRY_HTTP_ADDR=:5000`, by the rules of Distribution's parser.

`ENTREPOT_` is a synonym of `REGISTRY_`. Where Distribution panics or drops the value, because an item of a list or a
key of a nested untyped map is named, the override is made here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, get_args, get_origin

from entrepot.config.document import Malformed, Tree, parse_document
from entrepot.config.problems import Path, Problem, nearest, printable
from entrepot.config.section import Parameters, Section, section_in

PREFIXES = ("REGISTRY_", "ENTREPOT_")
_CONFIGURATION_PATH = "CONFIGURATION_PATH"
_VERSION = "VERSION"
_INDEX = re.compile(r"[0-9]{1,6}")
_MOST_SEGMENTS = 32


class Overridden(NamedTuple):
    """The tree with all overrides in it; `origins` tells which variable set, or made room for, what is at a path."""

    tree: Tree
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]
    origins: Mapping[Path, str]


class _Unrecognised(Exception):
    """No setting has this name; carries the rest of the name that was probably meant, if one was."""


class _Unplaceable(Exception):
    """The name is a setting's, but leads nowhere in this configuration; carries the reason."""


def find_path(environ: Mapping[str, str]) -> tuple[str | None, tuple[Problem, ...]]:
    """The configuration file that the environment names, if it names one, and what is wrong with that."""
    names = [prefix + _CONFIGURATION_PATH for prefix in PREFIXES if environ.get(prefix + _CONFIGURATION_PATH)]
    return (environ[names[0]] if names else None), _disagreement(names, environ)


def override(tree: Tree, environ: Mapping[str, str], root: type[Section]) -> Overridden:
    """Makes every override that `environ` asks for, in the order of the names.

    A section comes before its parts, and position 2 of a list before 10.
    """
    problems: list[Problem] = []
    warnings: list[str] = []
    origins: dict[Path, str] = {}
    for rest, names in sorted(_variables(environ).items(), key=lambda item: _order(item[0])):
        placement = _Placement(rest.split("_"), environ[names[0]])
        try:
            tree = placement.place(tree, root)
        except _Unrecognised as miss:
            warnings += [_unrecognised(name, *miss.args) for name in names]
        except (_Unplaceable, Malformed) as error:
            problems.append(Problem("", str(error), names[0]))
        else:
            problems += _disagreement(names, environ)
            origins |= dict.fromkeys(placement.made, names[0])
    return Overridden(tree, tuple(problems), tuple(warnings), origins)


def _variables(environ: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for prefix in PREFIXES:
        for name in environ:
            if name.startswith(prefix) and name != prefix + _CONFIGURATION_PATH:
                found.setdefault(name.removeprefix(prefix), []).append(name)
    return found


def _order(rest: str) -> list[tuple[int, str]]:
    return [(int(segment) if _INDEX.fullmatch(segment) else -1, segment) for segment in rest.split("_")]


def _disagreement(names: list[str], environ: Mapping[str, str]) -> tuple[Problem, ...]:
    if len({environ[name] for name in names}) < 2:
        return ()
    return (Problem("", f"{names[1]} means the same and has another value", names[0]),)


def _unrecognised(name: str, meant: str = "") -> str:
    prefix = next(prefix for prefix in PREFIXES if name.startswith(prefix))
    suggestion = f", did you mean {prefix}{meant}?" if meant else ""
    return printable(f"{name}: not the name of a setting, ignored{suggestion}")


class _Placement:
    """The way of one variable into the tree, which it copies where it changes it: YAML aliases share branches."""

    def __init__(self, segments: list[str], text: str) -> None:
        self._segments = segments
        self._text = text
        self.made: list[Path] = []

    def place(self, tree: Tree, root: type[Section]) -> Tree:
        """The tree with the value in it. Raises _Unrecognised, _Unplaceable or Malformed."""
        if len(self._segments) > _MOST_SEGMENTS or self._segments == [_VERSION]:
            raise _Unrecognised
        return self._place(tree, root, (), 0)

    def _place(self, held: Tree, kind: object, path: Path, depth: int) -> Tree:
        if held is None or depth == len(self._segments):
            self.made.append(path)
        if depth == len(self._segments):
            value, repeated = parse_document(self._text)
            if repeated:
                raise _Unplaceable("a key is given more than once")
            return value
        if get_origin(kind) is tuple or (kind is Any and isinstance(held, list)):
            return self._in_list(held, kind, path, depth)
        if (section := section_in(kind)) is not None:
            return self._in_section(held, section, path, depth)
        if get_origin(kind) is Mapping or kind is Any:
            return self._in_map(held, kind, path, depth)
        raise _Unrecognised

    def _in_section(self, held: Tree, section: type[Section], path: Path, depth: int) -> Tree:
        held = section.spelled_out(held)
        if issubclass(section, Parameters):
            return self._in_map(held, section, path, depth)
        segments = {section.segments.get(key, key.upper()): key for key in section.by_key()}
        segment = self._segments[depth]
        if segment == section.inlined and depth + 1 < len(self._segments):
            return self._in_section(held, section, path, depth + 1)
        if segment not in segments:
            meant = nearest(segment, segments)
            raise _Unrecognised(
                "_".join([*self._segments[:depth], meant, *self._segments[depth + 1 :]]) if meant else ""
            )
        return self._under(segments[segment], held, section, path, depth)

    def _in_map(self, held: Tree, kind: object, path: Path, depth: int) -> Tree:
        segment = self._segments[depth].lower()
        if not segment:
            raise _Unrecognised
        key = segment
        if isinstance(held, dict) and depth + 1 < len(self._segments):
            key = next((one for one in held if one.lower() == segment and held[one] is not None), segment)
        return self._under(key, held, kind, path, depth)

    def _under(self, key: str, held: Tree, kind: object, path: Path, depth: int) -> Tree:
        if held is not None and not isinstance(held, dict):
            raise _Unrecognised
        there = held or {}
        return {**there, key: self._place(there.get(key), _kind_of(key, kind), (*path, key), depth + 1)}

    def _in_list(self, held: Tree, kind: object, path: Path, depth: int) -> Tree:
        if held is not None and not isinstance(held, list):
            raise _Unrecognised
        items, segment = list(held or ()), self._segments[depth]
        if not _INDEX.fullmatch(segment):
            raise _Unplaceable(f"{segment[:64]!r} in its name is not a position in a list")
        position = int(segment)
        if position > len(items):
            raise _Unplaceable(f"position {position} in its name is beyond the end of a list of {len(items)}")
        item = items[position] if position < len(items) else None
        items[position : position + 1] = [self._place(item, _item_kind(kind), (*path, position), depth + 1)]
        return items


def _item_kind(kind: object) -> object:
    """The type of a list's items."""
    return get_args(kind)[0] if get_args(kind) else Any


def _kind_of(key: str, kind: object) -> object:
    """The type of what is under `key` in a section or a map."""
    if isinstance(kind, type) and issubclass(kind, Section):
        field = kind.by_key().get(key)
        return Any if field is None else field.annotation
    return get_args(kind)[1] if get_args(kind) else Any
