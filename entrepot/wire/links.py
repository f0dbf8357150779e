"""The Link header of a paged list: `<path?last=…&n=…>; rel="next"` (RFC 8288), written and read. Pure, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

_LONGEST = 8192


def format_next(path: str, query: Mapping[str, str]) -> str:
    """A link to the next page at `path`, the parameters in alphabetical order as Distribution writes them."""
    return f'<{path}?{urlencode(sorted(query.items()))}>; rel="next"'


def parse_next(header: str) -> str | None:
    """The target of the first link with `rel=next`, possibly relative; None where there is none. Never raises."""
    if len(header) > _LONGEST:
        return None
    for entry in _entries(header):
        target, separator, parameters = entry.lstrip().removeprefix("<").partition(">")
        if separator and any(_is_next(parameter) for parameter in parameters.split(";")):
            return target
    return None


def _entries(header: str) -> list[str]:
    # A comma parts two links only where a new target begins: targets may hold commas themselves.
    pieces: list[str] = []
    for piece in header.split(","):
        if pieces and not piece.lstrip().startswith("<"):
            pieces[-1] += "," + piece
        else:
            pieces.append(piece)
    return pieces


def _is_next(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip().lower() == "rel" and "next" in value.strip().strip('"').lower().split()
