"""What a worker has noted and not yet written: plain sets and dictionaries, filled without a lock.

Each note is one operation of the interpreter on one of them, and draining replaces them before it reads them. So
threads may note uses, of which one may be lost with that; all else is noted by the event loop, which drains.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

from entrepot.ledger import Kind
from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName, Tag

K = TypeVar("K")
V = TypeVar("V")

BOUND = 200_000
"""Entries of each kind; what comes beyond is not noted, until they have been written."""

Used = tuple[RepositoryName, Digest]
Kept = tuple[RepositoryName, Digest, Kind]


@dataclass(slots=True)
class Notes:
    """Keys as the tables have them; `needs` maps a manifest to (digest, size) of what it refers to."""

    used: set[Used] = field(default_factory=set)
    kept: dict[Kept, int] = field(default_factory=dict)
    needs: dict[Digest, tuple[tuple[Digest, int], ...]] = field(default_factory=dict)
    confirmed: dict[tuple[RepositoryName, Tag], tuple[Digest, float]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.used or self.kept or self.needs or self.confirmed)

    def settled(self) -> Notes:
        """A copy that nobody adds to: a thread that was about to note a use may still do so in this one."""
        # Each of these copies is made without the interpreter running anything else in between.
        return Notes(self.used.copy(), self.kept.copy(), self.needs.copy(), self.confirmed.copy())

    def take_back(self, earlier: Notes) -> None:
        """Add what could not be written; what was noted since is newer, and stays."""
        self.used.update(list(earlier.used)[: max(0, BOUND - len(self.used))])
        _fill_up(self.kept, earlier.kept)
        _fill_up(self.needs, earlier.needs)
        _fill_up(self.confirmed, earlier.confirmed)


def _fill_up(into: dict[K, V], earlier: dict[K, V]) -> None:
    for key, value in earlier.items():
        if len(into) >= BOUND:
            return
        into.setdefault(key, value)
