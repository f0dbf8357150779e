"""Short ways from a text to a configuration or to the problems in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import pytest
from pydantic.fields import FieldInfo

from entrepot.config.load import parse
from entrepot.config.problems import ConfigurationError
from entrepot.config.root import Configuration
from entrepot.config.section import Section, section_in

MINIMAL = "version: 0.1\nstorage: inmemory\n"
SOURCE = "config.yml"


def configured(text: str, environ: Mapping[str, str] | None = None) -> Configuration:
    """The configuration in `text`."""
    return parse(text, environ or {}, SOURCE).configuration


def problems(text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    """Every problem of `text`, which has at least one, without the source."""
    with pytest.raises(ConfigurationError) as raised:
        parse(text, environ or {}, SOURCE)
    return [": ".join(part for part in (one.path, one.text) if part) for one in raised.value.problems]


def minimal(text: str) -> str:
    """`text` with the version, and with storage unless it has one."""
    storage = "" if re.search(r"^storage:", text, re.MULTILINE) else "storage: inmemory\n"
    return f"version: 0.1\n{storage}{text}\n"


def every_key(section: type[Section] = Configuration, above: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Each key of the models that holds a value, with its field; `[]` stands for a list's items."""
    for key, field in section.by_key().items():
        path = f"{above}.{key}" if above else key
        inner = section_in(field.annotation)
        if inner is None or not inner.model_fields:
            yield path, field
        else:
            is_list = str(field.annotation).startswith("tuple[")
            yield from every_key(inner, path + "[]" if is_list else path)
