"""What every section of the configuration shares, and how to walk sections and raw values side by side.

A section's fields say what a single value must be. What values must be to each other stands in `contradictions`, which
reads the values as given: pydantic's own cross-field validators keep silent while any field is wrong, and an operator
wants all problems at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, get_args

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.fields import FieldInfo

from entrepot.config.document import Tree
from entrepot.config.problems import Path

Given = Mapping[str, Tree]
"""A section as the file and the environment give it: scalars are text, null is None."""


class Section(BaseModel):
    """A structure with known keys: an unknown one is an error, null is the same as leaving the key out."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    segments: ClassVar[Mapping[str, str]] = {}
    """Keys whose segment in an environment variable is not simply the key in capitals."""

    inlined: ClassVar[str | None] = None
    """A further segment that may stand before any of this section's own (Go's inlined structures)."""

    @classmethod
    def by_key(cls) -> dict[str, FieldInfo]:
        """Every field under its key in the file."""
        return {field.alias or name: field for name, field in cls.model_fields.items()}

    @classmethod
    def spelled_out(cls, given: Tree) -> Tree:
        """`given` with every shorthand that this section knows written in full."""
        return given

    @classmethod
    def contradictions(cls, given: Given) -> Iterator[tuple[str, str]]:
        """Key and text of each thing wrong between values; the empty key means the section. Values may be anything."""
        yield from ()

    @classmethod
    def used(cls, given: Given) -> bool:
        """Whether any key that this section knows has a value."""
        return any(given.get(key) for key in cls.by_key())

    @model_validator(mode="before")
    @classmethod
    def _prepared(cls, given: Any) -> Any:
        given = cls.spelled_out(given)
        if not isinstance(given, dict):
            return given
        keys = cls.by_key()
        return {key: value for key, value in given.items() if value is not None or key not in keys}


class Parameters(Section):
    """An untyped map in Distribution: an environment variable finds its keys in any case, and may add any key."""


class Choice(Parameters):
    """A map from a kind to its parameters, where a bare word stands for that kind without parameters."""

    @classmethod
    def spelled_out(cls, given: Tree) -> Tree:
        if isinstance(given, str):
            return {str(given): {}}
        if isinstance(given, dict):
            return {key: {} if value is None else value for key, value in given.items()}
        return given


def section_in(annotation: object) -> type[Section] | None:
    """The section that a field of this type holds: itself, optionally, or as a list's items."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next((found for one in get_args(annotation) if (found := section_in(one)) is not None), None)


def section_at(root: type[Section], path: Path) -> type[Section] | None:
    """The section that stands at `path` below `root`."""
    section: type[Section] | None = root
    for step in path:
        if section is None or isinstance(step, int):
            continue
        field = section.by_key().get(step)
        section = None if field is None else section_in(field.annotation)
    return section


def walk(section: type[Section], value: Tree, path: Path = ()) -> Iterator[tuple[Path, type[Section], Given]]:
    """Every section that is given, with its path and its raw content, outermost first."""
    value = section.spelled_out(value)
    if not isinstance(value, dict):
        return
    yield path, section, value
    for key, field in section.by_key().items():
        inner = section_in(field.annotation)
        if inner is None:
            continue
        held = value.get(key)
        if isinstance(held, list):
            for position, item in enumerate(held):
                yield from walk(inner, item, (*path, key, position))
        else:
            yield from walk(inner, held, (*path, key))


def together(given: Given, first: str, second: str) -> Iterator[tuple[str, str]]:
    """The contradiction of giving one of two keys that need each other."""
    if bool(given.get(first)) != bool(given.get(second)):
        yield first if given.get(second) else second, f"{first} and {second} go together"


def value_at(tree: Tree | Given, *keys: str) -> Tree:
    """The raw value under `keys`, of which there is at least one, or None where the way ends early."""
    first, *rest = keys
    value = tree.get(first) if isinstance(tree, Mapping) else None
    return value_at(value, *rest) if rest else value
