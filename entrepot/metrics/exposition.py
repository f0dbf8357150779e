"""What all processes of a server have counted, summed up and written as Prometheus reads it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector

from entrepot.metrics import families
from entrepot.metrics.families import FROM_CACHE, KINDS, Family


def expose(directory: Path, accept: str) -> tuple[str, bytes]:
    """Content type, of those that `accept` names, and text. Raises OSError, and RuntimeError for a damaged file."""
    encode, content_type = choose_encoder(accept)
    registry = CollectorRegistry()
    registry.register(_Sums(directory))
    return content_type, encode(registry)


class _Sums:
    """The series of all slots, and beside them those of Distribution, which follow from ours."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def collect(self) -> Iterator[Metric]:
        found = {metric.name: metric for metric in MultiProcessCollector.merge(self._files())}
        yield from found.values()
        yield from _distributions(found)

    def _files(self) -> list[str]:
        return sorted(map(str, self._directory.glob("*.db")))


def _distributions(found: dict[str, Metric]) -> Iterator[Metric]:
    responses = _by_kind_and_outcome(found.get(families.RESPONSES.name))
    sizes = _by_kind_and_outcome(found.get(families.SERVED_BYTES.name))
    yield _sums(families.REQUESTS, responses.items())
    yield _sums(families.HITS, ((key, value) for key, value in responses.items() if key[1] in FROM_CACHE))
    yield _sums(families.MISSES, ((key, value) for key, value in responses.items() if key[1] not in FROM_CACHE))
    yield _sums(families.PULLED_BYTES, ((key, value) for key, value in sizes.items() if key[1] == "miss"))
    yield _sums(families.PUSHED_BYTES, sizes.items())


def _by_kind_and_outcome(metric: Metric | None) -> dict[tuple[str, str], float]:
    samples = metric.samples if metric is not None else ()
    return {(sample.labels["type"], sample.labels["outcome"]): sample.value for sample in samples}


def _sums(family: Family, values: Iterable[tuple[tuple[str, str], float]]) -> Metric:
    sums: dict[str, float] = defaultdict(float, dict.fromkeys(KINDS, 0.0))
    for (kind, _), value in values:
        sums[kind] += value
    metric = CounterMetricFamily(family.name, family.documentation, labels=family.labels)
    for kind, value in sums.items():
        metric.add_metric([kind], value)
    return metric
