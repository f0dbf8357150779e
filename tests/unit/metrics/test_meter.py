"""What is counted, and how it is told to Prometheus."""

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from entrepot.metrics.directory import claim_slot
from entrepot.metrics.exposition import expose
from entrepot.metrics.meter import PrometheusMeter
from entrepot.telemetry import Meter

Labels = tuple[tuple[str, str], ...]


def figures(directory: Path) -> dict[tuple[str, Labels], float]:
    """Every series by its name and labels, as a scraper reads it."""
    content_type, text = expose(directory, "")
    assert content_type.startswith("text/plain")
    families = text_string_to_metric_families(text.decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def value(directory: Path, name: str, **labels: str) -> float:
    return figures(directory)[name, tuple(sorted(labels.items()))]


@pytest.fixture
def meter(tmp_path: Path) -> Iterator[PrometheusMeter]:
    """The meter of one process."""
    with closing(PrometheusMeter(tmp_path)) as meter:
        yield meter


async def test_requests(tmp_path: Path) -> None:
    """By Distribution's names: how many, how long, how large; and how many are being answered."""
    with closing(PrometheusMeter(tmp_path)) as meter:
        writing = asyncio.create_task(meter.run())
        await asyncio.sleep(0)
        for seconds, sent in ((0.001, 100), (0.02, 5000)):
            meter.begun("blob")
            meter.requested("blob", "GET", 200, seconds, received=0, sent=sent)
        meter.ended("blob")
        meter.requested("blob", "BREW", 418, 70.0, received=1 << 40, sent=0)
        meter.acted("filesystem", "Stat", 0.03)
        writing.cancel()
        await asyncio.wait({writing})

        told = figures(tmp_path)
        http = "registry_http_request"
        assert value(tmp_path, f"{http}s_total", handler="blob", code="200", method="get") == 2
        assert value(tmp_path, f"{http}s_total", handler="blob", code="418", method="unknown") == 1
        assert value(tmp_path, f"{http}_duration_seconds_count", handler="blob", method="get") == 2
        assert value(tmp_path, f"{http}_duration_seconds_bucket", handler="blob", method="get", le="0.005") == 1
        assert value(tmp_path, f"{http}_duration_seconds_bucket", handler="blob", method="get", le="60.0") == 2
        assert value(tmp_path, f"{http}_duration_seconds_bucket", handler="blob", method="unknown", le="60.0") == 0
        assert value(tmp_path, f"{http}_size_bytes_sum", handler="blob") == 1 << 40
        assert value(tmp_path, "registry_http_response_size_bytes_bucket", handler="blob", le="1024.0") == 2
        assert value(tmp_path, "registry_http_response_size_bytes_sum", handler="blob") == 5100
        assert value(tmp_path, "registry_http_in_flight_requests", handler="blob") == 1
        assert value(tmp_path, "registry_storage_action_seconds_sum", driver="filesystem", action="Stat") == 0.03
        buckets = [name for name, labels in told if name == f"{http}_duration_seconds_bucket"]
        assert len(buckets) == 2 * 14
    with closing(PrometheusMeter(tmp_path)):
        # What the process before was answering died with it; what it had answered did not.
        assert ("registry_http_in_flight_requests", (("handler", "blob"),)) not in figures(tmp_path)
        assert value(tmp_path, f"{http}s_total", handler="blob", code="200", method="get") == 2


def test_served(meter: Meter, tmp_path: Path) -> None:
    """Answers and bytes by kind and outcome, and Distribution's figures from them."""
    for outcome, size in (("hit", 100), ("stale", 20), ("joined", 3), ("miss", 4000)):
        meter.served("blob", outcome, size)
    meter.served("manifest", "miss", 7)

    assert value(tmp_path, "entrepot_proxy_responses_total", type="blob", outcome="stale") == 1
    assert value(tmp_path, "entrepot_proxy_served_bytes_total", type="blob", outcome="hit") == 100
    distribution = {
        name: [value(tmp_path, f"registry_proxy_{name}_total", type=kind) for kind in ("blob", "manifest")]
        for name in ("requests", "hits", "misses", "pulled_bytes", "pushed_bytes")
    }
    assert distribution == {
        "requests": [4, 1],
        "hits": [2, 0],
        "misses": [2, 1],
        "pulled_bytes": [4000, 7],
        "pushed_bytes": [4123, 7],
    }


def test_nothing_counted_yet(tmp_path: Path) -> None:
    """Distribution's series are there from the start, so that a rate of them has a beginning."""
    assert value(tmp_path, "registry_proxy_requests_total", type="blob") == 0


def test_fills(meter: Meter, tmp_path: Path) -> None:
    """A histogram with all its buckets."""
    for seconds in (0.01, 0.3, 5000.0):
        meter.filled("docker.io", seconds, succeeded=True)
    meter.filled("docker.io", 1.0, succeeded=False)

    def bucket(bound: str) -> float:
        return value(tmp_path, "entrepot_fill_seconds_bucket", upstream="docker.io", result="succeeded", le=bound)

    assert [bucket(bound) for bound in ("0.05", "0.25", "0.5", "900.0", "+Inf")] == [1, 1, 2, 2, 3]
    assert value(tmp_path, "entrepot_fill_seconds_count", upstream="docker.io", result="succeeded") == 3
    assert value(tmp_path, "entrepot_fill_seconds_sum", upstream="docker.io", result="failed") == 1.0


def test_evictions(meter: Meter, tmp_path: Path) -> None:
    """Entries by upstream and reason, bytes altogether."""
    meter.evicted("ghcr.io", "ttl", 3, 1000)
    meter.evicted("docker.io", "maxsize", 2, 500)

    assert value(tmp_path, "entrepot_evicted_entries_total", upstream="ghcr.io", reason="ttl") == 3
    assert value(tmp_path, "entrepot_evicted_bytes_total") == 1500


def test_upstream(meter: Meter, tmp_path: Path) -> None:
    """What an upstream answered, what it leaves, and whether it is left alone."""
    before = time.time()
    for status in (200, 401, 0, 418, 299, 777):
        meter.answered("ghcr.io", status)
    meter.answered("quay.io", 503)
    meter.remaining("ghcr.io", 76)
    meter.suspended("ghcr.io", is_open=True)

    for code in ("200", "401", "none", "4xx", "2xx", "other"):
        assert value(tmp_path, "entrepot_upstream_responses_total", upstream="ghcr.io", code=code) == 1
    last = "entrepot_upstream_last_success_timestamp_seconds"
    assert before <= value(tmp_path, last, upstream="ghcr.io") <= time.time()
    assert (last, (("upstream", "quay.io"),)) not in figures(tmp_path)
    assert value(tmp_path, "entrepot_upstream_rate_limit_remaining", upstream="ghcr.io") == 76
    assert value(tmp_path, "entrepot_upstream_suspended", upstream="ghcr.io") == 1


def test_two_processes(tmp_path: Path) -> None:
    """Counts are added; of the rest the latest is told, and an upstream is suspended where any of them says so."""
    with closing(PrometheusMeter(tmp_path)) as one, closing(PrometheusMeter(tmp_path)) as two:
        for meter, pulls, is_open in ((one, 50, True), (two, 40, False)):
            meter.fetched("docker.io", 10)
            meter.filled("docker.io", 0.2, succeeded=True)
            meter.remaining("docker.io", pulls)
            meter.suspended("docker.io", is_open=is_open)

    assert value(tmp_path, "entrepot_upstream_fetched_bytes_total", upstream="docker.io") == 20
    assert value(tmp_path, "entrepot_fill_seconds_count", upstream="docker.io", result="succeeded") == 2
    assert value(tmp_path, "entrepot_upstream_rate_limit_remaining", upstream="docker.io") == 40
    assert value(tmp_path, "entrepot_upstream_suspended", upstream="docker.io") == 1


def test_successor(tmp_path: Path) -> None:
    """One that takes a dead one's slot counts on, makes no further files, and does not take over its breakers."""
    with closing(PrometheusMeter(tmp_path)) as meter:
        meter.fetched("docker.io", 10)
        meter.suspended("docker.io", is_open=True)
    before = sorted(tmp_path.iterdir())
    assert value(tmp_path, "entrepot_upstream_suspended", upstream="docker.io") == 1

    with closing(PrometheusMeter(tmp_path)) as successor:
        successor.fetched("docker.io", 5)

    assert value(tmp_path, "entrepot_upstream_fetched_bytes_total", upstream="docker.io") == 15
    assert ("entrepot_upstream_suspended", (("upstream", "docker.io"),)) not in figures(tmp_path)
    assert sorted(tmp_path.iterdir()) == before


def test_threads(meter: Meter, tmp_path: Path) -> None:
    """Nothing is lost between threads."""

    def count() -> None:
        for _ in range(5000):
            meter.served("blob", "hit", 2)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert value(tmp_path, "entrepot_proxy_responses_total", type="blob", outcome="hit") == 20_000
    assert value(tmp_path, "entrepot_proxy_served_bytes_total", type="blob", outcome="hit") == 40_000


def test_bounded_names(meter: Meter, tmp_path: Path) -> None:
    """However many upstreams there are, the series are not more, and the files do not grow."""
    sizes = {path: path.stat().st_size for path in tmp_path.glob("*.db")}
    for number in range(200):
        for status in range(600):
            meter.answered(f"{number:03}.{'x' * 60}.example.org", status)
        for succeeded in (True, False):
            meter.filled(f"{number:03}.{'x' * 60}.example.org", 1.0, succeeded=succeeded)

    names = {dict(labels).get("upstream") for _, labels in figures(tmp_path)} - {None}
    assert len(names) == 65
    assert "other" in names
    assert {path: path.stat().st_size for path in tmp_path.glob("*.db")} == sizes


def test_slots(tmp_path: Path) -> None:
    """The lowest that is free."""
    (one, first), (two, second) = claim_slot(tmp_path), claim_slot(tmp_path)
    os.close(first)
    three, third = claim_slot(tmp_path)

    assert (one, two, three) == (0, 1, 0)
    os.close(second)
    os.close(third)
