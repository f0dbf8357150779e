"""The section `compatibility`, which Distribution dropped with 3.0."""

from __future__ import annotations

from entrepot.config.section import Section
from entrepot.config.types import FilePath, Flag


class Schema1(Section):
    """Docker's first manifest format."""

    segments = {"signingkeyfile": "TRUSTKEY"}

    signingkeyfile: FilePath = ""
    enabled: Flag = False


class Compatibility(Section):
    """Formats that are otherwise refused."""

    schema1: Schema1 = Schema1()
