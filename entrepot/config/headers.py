"""HTTP headers in settings: names, each with a list of values. No error text repeats a value: it may be a secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator

from entrepot.config.problems import Unfit

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")  # RFC 9110 §5.6.2
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")  # RFC 9110 §5.5
_FRAMING = frozenset({"connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"})


def parse_headers(value: object) -> Mapping[str, tuple[str, ...]]:
    """Raises Unfit unless `value` maps header names to lists of values."""
    if not isinstance(value, dict):
        raise Unfit("needs a mapping of header names to lists of values")
    return {_header_name(name): _header_values(name, values) for name, values in value.items()}


def _header_name(name: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise Unfit(f"{name[:64]!r} is not a header name")
    if name.lower() in _FRAMING:
        raise Unfit(f"{name} says how a message is sent and cannot be set")
    return name


def _header_values(name: str, values: object) -> tuple[str, ...]:
    if not isinstance(values, list):
        raise Unfit(f"{name[:64]} needs a list of values, as in [nosniff]")
    for one in values:
        if not isinstance(one, str) or not _VALUE.fullmatch(one):
            raise Unfit(f"{name[:64]} has a value that cannot stand in a header")
    return tuple(map(str, values))


Headers = Annotated[Mapping[str, tuple[str, ...]], BeforeValidator(parse_headers)]
