"""How long a tag's answer may be given without asking again, and how long when nobody can be asked. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from entrepot.oci.names import Tag


@dataclass(frozen=True, slots=True)
class Rule:
    """Tags that match the pattern stay fresh for `period` seconds."""

    tags: re.Pattern[str]
    period: float


@dataclass(frozen=True, slots=True)
class Freshness:
    """All in seconds.

    The first rule that matches counts, else `default`. `stale` is how long after its last confirmation a tag may be
    served while the upstream fails; `deadline` is how long the upstream is waited for where there is such an answer.
    """

    default: float = 0.0
    rules: Sequence[Rule] = ()
    stale: float = 30 * 24 * 3600.0
    deadline: float = 2.0

    def period(self, tag: Tag) -> float:
        """How long a confirmation of the tag is good for."""
        for rule in self.rules:
            if rule.tags.search(tag):
                return rule.period
        return self.default

    def is_fresh(self, tag: Tag, age: float | None) -> bool:
        """Whether a tag that was confirmed `age` seconds ago (None: nobody knows) need not be confirmed again."""
        return age is not None and 0 <= age < self.period(tag)

    def may_be_stale(self, age: float | None) -> bool:
        """Whether it may be served unconfirmed. What nobody remembers may: the cache outlives its memory."""
        return self.stale > 0 and (age if age is not None else -math.inf) <= self.stale
