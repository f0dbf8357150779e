"""Servers that strace can be attached to."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.programs import need
from tests.servers import Server

ONE_WORKER = ("env", "ENTREPOT_WORKERS=1")


@pytest.fixture
def traced(tmp_path: Path) -> Iterator[Server]:
    """A registry with one worker process, which is the one to watch."""
    need("strace")
    if os.geteuid() != 0:
        pytest.skip("attaching strace needs root")
    with Server(tmp_path, prefix=ONE_WORKER) as server:
        yield server
