"""Sizes in bytes, `200GiB`, `10MB`, `4096`, and shares of a file system, `5%`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator

from entrepot.config.problems import Unfit
from entrepot.config.types import as_text

_BYTES = {
    "": 1,
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "PB": 10**15,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
    "PiB": 2**50,
}
_SIZE = re.compile(r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?: ?([A-Za-z]+))?")
_PERCENT = re.compile(r"(-?)((?:0|[1-9][0-9]{0,2})(?:\.[0-9]{1,6})?) ?%")
_LONGEST = 32
_MOST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Share:
    """Part of a whole: so many bytes, or so many percent, one of which is 0."""

    size: int = 0
    percent: float = 0.0

    def __bool__(self) -> bool:
        return self.size > 0 or self.percent > 0

    def __str__(self) -> str:
        return f"{self.percent:g}%" if self.percent else str(self.size)

    def of(self, total: int) -> int:
        """Bytes, where the whole has `total` of them."""
        return self.size + int(total * self.percent / 100)


def parse_size(text: str) -> int:
    """Bytes. Raises Unfit unless `text` is a number, perhaps with a unit, that fits 63 bits."""
    size = _SIZE.fullmatch(text) if len(text) <= _LONGEST else None
    unit = _BYTES.get(size[4] or "", 0) if size else 0
    if size is None or not unit or (unit == 1 and size[3]):
        raise Unfit(f"{text[:_LONGEST]!r} is not a size such as 200GiB, 10MB or a number of bytes")
    sign, whole, fraction = size[1], size[2], size[3] or ""
    if sign:
        raise Unfit("must not be negative")
    number, scale = int(whole + fraction), 10 ** len(fraction)
    found = int(number * unit // scale)
    if number and not found:
        raise Unfit("is less than one byte")  # not to become 0, which means something else
    if found > _MOST:
        raise Unfit("is too large a size")
    return found


def parse_share(text: str) -> Share:
    """Raises Unfit unless `text` is a size, or a percentage below 100."""
    percent = _PERCENT.fullmatch(text) if len(text) <= _LONGEST else None
    if percent is None:
        if "%" in text:
            raise Unfit(f"{text[:_LONGEST]!r} is not a percentage such as 5% or 2.5%")
        return Share(size=parse_size(text))
    if percent[1]:
        raise Unfit("must not be negative")
    if float(percent[2]) >= 100:
        raise Unfit("must be less than 100%")
    return Share(percent=float(percent[2]))


Size = Annotated[int, BeforeValidator(lambda value: parse_size(as_text(value)))]
ShareOfDisk = Annotated[Share, BeforeValidator(lambda value: parse_share(as_text(value)))]
