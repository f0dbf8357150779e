"""Range, Content-Range and the registry's own `0-99`: spans of bytes as header text, both ways. Pure, no I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass

_DIGITS = 18  # all that fit below 2**63, so that a length can be taken
_RANGE = re.compile(rf"bytes\s*=\s*([0-9]{{0,{_DIGITS}}})-([0-9]{{0,{_DIGITS}}})\s*", re.ASCII | re.IGNORECASE)
_CONTENT_RANGE = re.compile(rf"([0-9]{{1,{_DIGITS}}})-([0-9]{{1,{_DIGITS}}})")
_LONGEST_RANGE = 128


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes from `start` up to, not including, `stop`."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


class Unsatisfiable(ValueError):
    """A well-formed range that selects nothing of the content: 416 (RFC 9110 §15.5.17)."""


class Malformed(ValueError):
    """Text that is no range at all."""


def parse_range(header: str, size: int) -> Span | None:
    """The part of `size` bytes that a Range header selects, clamped at the end; None means the whole.

    A header that is malformed, in another unit or of several ranges is ignored, as RFC 9110 §14.2 allows. Docker asks
    for one byte past the end and containerd for open ends: both get what there is. Raises Unsatisfiable.
    """
    if len(header) > _LONGEST_RANGE:
        return None
    match = _RANGE.fullmatch(header)
    first, last = ("", "") if match is None else match.groups()
    if first:
        start, stop = int(first), int(last) + 1 if last else size
        if start >= size or stop <= start:
            raise Unsatisfiable(header)
        return Span(start, min(stop, size))
    if not last:
        return None
    if not int(last) or not size:
        raise Unsatisfiable(header)
    return Span(max(0, size - int(last)), size)


def parse_content_range(header: str) -> Span:
    """An upload's `<first>-<last>`, inclusive and without a unit (OCI distribution-spec, "Pushing a blob in chunks").

    Raises Malformed, also where the last byte is before the first.
    """
    match = _CONTENT_RANGE.fullmatch(header.removeprefix("bytes ").split("/", 1)[0]) if len(header) < 128 else None
    if match is None or int(match[2]) < int(match[1]):
        raise Malformed("Content-Range must be <first>-<last>")
    return Span(int(match[1]), int(match[2]) + 1)


def format_content_range(span: Span, size: int) -> str:
    """For a 206 answer."""
    return f"bytes {span.start}-{span.stop - 1}/{size}"


def format_upload_range(size: int) -> str:
    """What an upload holds; `0-0` for none, which Distribution's clients expect though one byte reads the same."""
    return f"0-{max(0, size - 1)}"
