"""Registries for the tests: one server per storage driver for the whole session, and others made to order."""

import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.leaks import leak
from tests.repositories import Repository
from tests.servers import IN_MEMORY, Server

DRIVERS = ("filesystem", "inmemory")
SHARED_MEMORY = Path("/dev/shm")

Serve = Callable[..., Server]


@pytest.fixture(scope="session")
def filesystem_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A registry on files, shared by all tests, which use names of their own."""
    yield from _shared(tmp_path_factory.mktemp("filesystem"), {})


@pytest.fixture(scope="session")
def inmemory_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A registry in memory, shared by all tests, which use names of their own."""
    yield from _shared(tmp_path_factory.mktemp("inmemory"), IN_MEMORY)


@pytest.fixture(params=DRIVERS)
def server(request: pytest.FixtureRequest) -> Server:
    """The shared registry of each storage driver in turn."""
    found: Server = request.getfixturevalue(f"{request.param}_server")
    return found


@pytest.fixture
def repository(server: Server) -> Iterator[Repository]:
    """A repository that nobody has used, on each storage driver in turn."""
    with server.client() as client:
        yield Repository(client)


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Start a server with settings of its own; all are stopped when the module is done."""
    with ExitStack() as running:

        def start(settings: Mapping[str, Any] | None = None, *, root: Path | None = None) -> Server:
            return running.enter_context(Server(tmp_path_factory.mktemp("server"), settings, root=root))

        yield start


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A directory, in memory where that can be had: how durable files are is not asked here, and each waits for it."""
    if not os.access(SHARED_MEMORY, os.W_OK):
        yield tmp_path
        return
    path = Path(tempfile.mkdtemp(dir=SHARED_MEMORY))
    yield path
    shutil.rmtree(path)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test whose own process has written a secret has failed, whatever else it found."""
    report = yield
    written = [text for title, text in report.sections if "Captured" in title and report.when in title]
    found = leak("\n".join(written))
    if found is not None and report.passed:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: printed {found}"
    return report


def _shared(directory: Path, settings: Mapping[str, Any]) -> Iterator[Server]:
    with Server(directory, settings) as server:
        yield server
        # No request of the whole session may have met an unexpected exception.
        assert "Traceback (most recent call last)" not in server.output()
