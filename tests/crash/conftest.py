"""Servers with one worker process each, to which strace can be attached."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.programs import need
from tests.servers import Server

ONE_WORKER = ("env", "ENTREPOT_WORKERS=1")

StartTraced = Callable[..., Server]


@pytest.fixture
def start_traced(tmp_path: Path) -> Iterator[StartTraced]:
    """Start a server with settings of its own; all are stopped after the test."""
    need("strace")
    if os.geteuid() != 0:
        pytest.skip("attaching strace needs root")
    with ExitStack() as running:

        def start(settings: dict[str, object] | None = None) -> Server:
            return running.enter_context(Server(tmp_path / "traced", settings, prefix=ONE_WORKER))

        yield start
