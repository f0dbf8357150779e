"""Servers with one worker process each, to which strace can be attached."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.programs import need
from tests.servers import Server

ONE_WORKER = ("env", "ENTREPOT_WORKERS=1")
# A killed process leaves the same files on any file system, and this one has no disk to wait for.
MEMORY = Path("/dev/shm")

StartTraced = Callable[..., Server]


@pytest.fixture
def start_traced(tmp_path: Path) -> Iterator[StartTraced]:
    """Start the one server of a test with settings of its own; it is stopped after the test."""
    need("strace")
    if os.geteuid() != 0:
        pytest.skip("attaching strace needs root")
    with ExitStack() as running:
        directory = running.enter_context(TemporaryDirectory(prefix="crash-", dir=MEMORY if MEMORY.is_dir() else None))

        def start(settings: dict[str, object] | None = None) -> Server:
            root = Path(directory) / "data"
            return running.enter_context(Server(tmp_path / "traced", settings, root=root, prefix=ONE_WORKER))

        yield start
