"""What the models accept although nothing acts on it yet: given, it stops the start. Its line goes when it comes."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import TypeAdapter, ValidationError

from entrepot.config.document import Tree
from entrepot.config.section import Section, walk

NOT_YET = (
    "storage.s3",
    "storage.s3aws",
    "storage.s3goamz",
    "storage.azure",
    "storage.gcs",
    "storage.swift",
    "storage.oss",
)
"""Paths of whole settings; everything below one is not supported either."""


def unsupported(tree: Tree, root: type[Section]) -> Iterator[tuple[str, ...]]:
    """The path of every setting that asks for something that is not there yet."""
    sections = {path: (section, given) for path, section, given in walk(root, tree)}
    for dotted in NOT_YET:
        *above, key = path = tuple(dotted.split("."))
        section, given = sections.get(tuple(above), (root, {}))
        value = given.get(key)
        if value is not None and not _asks_nothing(section, key, value):
            yield path


def _asks_nothing(section: type[Section], key: str, given: Tree) -> bool:
    field = section.by_key()[key]
    try:
        value = TypeAdapter(field.rebuild_annotation()).validate_python(given)
    except ValidationError:
        return False
    return bool(value == field.get_default(call_default_factory=True))
