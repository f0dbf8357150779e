"""A plan: all that a worker needs to know, made once by the supervisor and sent to each. Holds values, no objects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from entrepot.config.root import Configuration
from entrepot.server.patience import Patience


@dataclass(frozen=True, slots=True)
class Plan:
    """`secret` signs upload states: the same for all workers, and across restarts where `http.secret` is set.

    `figures` is the directory in which all processes count; None where nobody asked for figures.
    """

    configuration: Configuration
    secret: bytes
    patience: Patience
    figures: Path | None = None
