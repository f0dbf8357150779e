"""Servers whose limits in time are near, so that tests can meet them."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.http.processes import await_workers
from tests.servers import Server, merge

IMPATIENT = Path(__file__).with_name("impatient.py")

HEADERS, BODY, READER = 2.0, 2.0, 2.0
"""Seconds that an impatient server waits; nothing here depends on how much longer it takes."""


def impatient(
    directory: Path, settings: Mapping[str, Any], *, body: float = BODY, settling: float = 0.0, workers: int = 2
) -> Server:
    """A server that is not started yet, and logs no requests."""
    words = [str(number) for number in (HEADERS, body, READER, settling, workers)]
    prefix = (sys.executable, str(IMPATIENT), *words)
    return Server(directory, merge({"log": {"accesslog": {"disabled": True}}}, settings), prefix=prefix)


@pytest.fixture(scope="module")
def impatient_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A registry on files that waits for nobody long."""
    with impatient(tmp_path_factory.mktemp("impatient"), {}) as server:
        await_workers(server.pid, 2)
        yield server
