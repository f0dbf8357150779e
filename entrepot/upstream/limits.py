"""The numbers that bound what one upstream is asked, how long it is waited for, and how often it may fail."""

from __future__ import annotations

from dataclasses import dataclass, field

from entrepot.upstream.breaker import Tolerance


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds and counts; `metadata` bounds a whole call other than `blob`, `listing` one that reads many pages.

    `queue` is how many may wait for one of the connections, each for at most `turn`; `slowest` are the bytes a second
    below which a blob counts as stalled; `pauses` are those before each further try of what may be tried again;
    `cooldown` is the longest time that an upstream is not asked after it said "too many requests".
    """

    connect: float = 5.0
    idle: float = 30.0
    metadata: float = 10.0
    listing: float = 30.0
    metadata_connections: int = 32
    blob_connections: int = 64
    queue: int = 2048
    turn: float = 20.0
    slowest: int = 1024
    pauses: tuple[float, ...] = (0.2, 0.8)
    cooldown: float = 60.0
    tolerance: Tolerance = field(default_factory=Tolerance)
