"""What the upstream has just said it does not have: remembered for seconds, as clients ask for it again and again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName, Tag

PERIOD = 5.0
"""Seconds: long enough for the retries of a pull, short enough that what is pushed upstream soon appears."""

_CAPACITY = 10_000


class Absences:
    """Of one worker."""

    def __init__(self, clock: Callable[[], float], period: float = PERIOD) -> None:
        self._clock = clock
        self._period = period
        self._until: OrderedDict[tuple[RepositoryName, Tag | Digest], float] = OrderedDict()

    def note(self, name: RepositoryName, reference: Tag | Digest) -> None:
        self._until.pop((name, reference), None)
        self._until[name, reference] = self._clock() + self._period
        if len(self._until) > _CAPACITY:
            self._until.popitem(last=False)

    def holds(self, name: RepositoryName, reference: Tag | Digest) -> bool:
        """Whether the answer of a moment ago still counts."""
        until = self._until.get((name, reference))
        if until is None:
            return False
        if self._clock() < until:
            return True
        del self._until[name, reference]
        return False
