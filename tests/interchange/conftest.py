"""Entrepot and Debian's docker-registry with one data directory between them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interchange.volume import Volume
from tests.programs import need


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Volume]:
    """An empty data directory, to be served by one server or the other, or by both."""
    need("docker-registry")
    with Volume(tmp_path) as made:
        yield made
