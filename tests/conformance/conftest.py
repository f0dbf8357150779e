"""Registries that are set up for conformance: foreign layers of the test's store are allowed."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.conformance.shapes import FOREIGN_URL
from tests.conftest import DRIVERS
from tests.repositories import Repository
from tests.servers import IN_MEMORY, Server, merge

SETTINGS: Mapping[str, Any] = {"validation": {"manifests": {"urls": {"allow": [f"^{FOREIGN_URL}"]}}}}


@pytest.fixture(scope="session")
def conforming_filesystem(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A registry on files."""
    with Server(tmp_path_factory.mktemp("conformance"), SETTINGS) as server:
        yield server


@pytest.fixture(scope="session")
def conforming_inmemory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A registry in memory."""
    with Server(tmp_path_factory.mktemp("conformance"), merge(IN_MEMORY, SETTINGS)) as server:
        yield server


@pytest.fixture(params=DRIVERS)
def server(request: pytest.FixtureRequest) -> Server:
    """The conforming registry of each storage driver in turn."""
    found: Server = request.getfixturevalue(f"conforming_{request.param}")
    return found


@pytest.fixture(params=["sha256", "sha512"])
def algorithm(request: pytest.FixtureRequest) -> str:
    """The digest algorithms that a registry must know."""
    return str(request.param)


@pytest.fixture
def other(repository: Repository) -> Repository:
    """A second repository of the same registry."""
    return repository.sibling()
