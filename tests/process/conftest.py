"""Sockets in the file system, whose paths may not be long."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def socket_path() -> Iterator[Path]:
    """Where a unix socket may be made; the directories of tests have names too long for one."""
    with tempfile.TemporaryDirectory(prefix="entrepot-") as directory:
        yield Path(directory) / "registry.sock"
