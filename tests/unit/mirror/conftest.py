"""A cache with an index, a clock and a keeper."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.caches import KeptCache


@pytest.fixture
def kept(root: Path) -> Iterator[KeptCache]:
    """An empty cache."""
    cache = KeptCache(root, time.time())
    yield cache
    cache.close()
