"""A row of the table: what is measured, for whom, and what is to be reached."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import isfinite
from statistics import median

from bench.contenders import BASELINE, DIRECT, ENTREPOT, NGINX, REGISTRY
from bench.scene import Scene

Measure = Callable[[str], float]
"""Measures one contender once; infinity says that it failed."""


@dataclass(frozen=True, slots=True)
class Target:
    """How many times as good as the others Entrepot is to be, and how large or small its own figure may be."""

    registry: float | None = None
    nginx: float | None = None
    most: float | None = None
    least: float | None = None
    direct: float | None = None
    baseline: float | None = None
    most_extra: float | None = None
    """How much more than the figure of the direct way."""
    either: bool = False
    """Whether one of these parts is enough."""

    @property
    def factors(self) -> Mapping[str, float]:
        """How many times as good as which contender."""
        given = {REGISTRY: self.registry, NGINX: self.nginx, DIRECT: self.direct, BASELINE: self.baseline}
        return {contender: factor for contender, factor in given.items() if factor is not None}

    def __str__(self) -> str:
        parts = [
            f"≥ {self.least:g}" if self.least is not None else "",
            *(f"≥ {factor:g}x {contender}" for contender, factor in self.factors.items()),
            f"≤ {self.most:g}" if self.most is not None else "",
            f"≤ {DIRECT} + {self.most_extra:g}" if self.most_extra is not None else "",
        ]
        return (" or " if self.either else ", ").join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Row:
    """`measuring` prepares, and cleans up when the rounds are over."""

    name: str
    work: str
    unit: str
    measuring: Callable[[Scene], AbstractContextManager[Measure]]
    target: Target
    contenders: Sequence[str] = (ENTREPOT, REGISTRY)
    less_is_better: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """All figures of a row, by contender."""

    row: Row
    figures: Mapping[str, Sequence[float]]

    def median(self, contender: str) -> float | None:
        """None for one that was not measured. A round that failed is not hidden by those that did not."""
        figures = self.figures.get(contender)
        if not figures:
            return None
        return median(figures) if all(map(isfinite, figures)) else float("inf")

    def times(self, contender: str) -> float | None:
        """How many times as good as this contender Entrepot is; more is better in every row."""
        own, other = self.median(ENTREPOT), self.median(contender)
        if own is None or other is None or 0 in (own, other):
            return None
        return other / own if self.row.less_is_better else own / other

    def reached(self) -> bool:
        """Whether all parts of the target are met, or one where one is enough."""
        target, own, direct = self.row.target, self.median(ENTREPOT), self.median(DIRECT)
        if own is None or not isfinite(own):
            return False
        met = [(self.times(contender) or 0) >= factor for contender, factor in target.factors.items()]
        if target.most is not None:
            met.append(own <= target.most)
        if target.least is not None:
            met.append(own >= target.least)
        if target.most_extra is not None:
            met.append(direct is not None and own <= direct + target.most_extra)
        return any(met) if target.either else all(met)
