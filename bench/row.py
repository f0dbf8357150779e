"""A row of the table: what is measured, for whom, and what is to be reached."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from statistics import median

from bench.contenders import ENTREPOT, NGINX, REGISTRY
from bench.scene import Scene

Measure = Callable[[str], float]
"""Measures one contender once."""


@dataclass(frozen=True, slots=True)
class Target:
    """How many times as good as the others Entrepot is to be, or how large its own figure may be."""

    registry: float | None = None
    nginx: float | None = None
    most: float | None = None

    def __str__(self) -> str:
        parts = [
            f"≥ {self.registry:g}x docker-registry" if self.registry is not None else "",
            f"≥ {self.nginx:g}x nginx" if self.nginx is not None else "",
            f"≤ {self.most:g}" if self.most is not None else "",
        ]
        return ", ".join(part for part in parts if part)


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
        """None for one that was not measured."""
        figures = self.figures.get(contender)
        return median(figures) if figures else None

    def times(self, contender: str) -> float | None:
        """How many times as good as this contender Entrepot is; more is better in every row."""
        own, other = self.median(ENTREPOT), self.median(contender)
        if own is None or other is None or 0 in (own, other):
            return None
        return other / own if self.row.less_is_better else own / other

    def reached(self) -> bool:
        """Whether all parts of the target are met."""
        target, own = self.row.target, self.median(ENTREPOT)
        wanted = [(target.registry, self.times(REGISTRY)), (target.nginx, self.times(NGINX))]
        enough = all(times is not None and times >= least for least, times in wanted if least is not None)
        return enough and (target.most is None or (own is not None and own <= target.most))
