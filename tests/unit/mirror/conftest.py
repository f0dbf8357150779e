"""A cache with an index, a clock and a keeper."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.caches import KeptCache

SHARED_MEMORY = Path("/dev/shm")


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """The data directory, in memory where that can be had."""
    if not os.access(SHARED_MEMORY, os.W_OK):
        yield tmp_path
        return
    path = Path(tempfile.mkdtemp(dir=SHARED_MEMORY))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def kept(root: Path) -> Iterator[KeptCache]:
    """An empty cache."""
    cache = KeptCache(root, time.time())
    yield cache
    cache.close()
