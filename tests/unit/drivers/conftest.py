"""A filesystem driver on an empty root, for the tests of what the contract does not say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.drivers.filesystem import FilesystemDriver


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The root of `driver`; tests may do beside the driver what other programs would do there."""
    path = tmp_path / "root"
    path.mkdir()
    return path


@pytest.fixture
def driver(root: Path) -> Iterator[FilesystemDriver]:
    """A driver on `root`."""
    made = FilesystemDriver(str(root))
    yield made
    made.close()
