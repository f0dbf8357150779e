"""Duties: each by itself, whatever happens to another."""

import asyncio
import os
import signal
from multiprocessing import get_context
from pathlib import Path

from entrepot.server.keeper import keep


class Failing:
    """Fails each time."""

    def __init__(self, log: Path) -> None:
        self._log = log

    async def run(self) -> None:
        with self._log.open("a") as log:
            log.write("x")
        raise RuntimeError("as it always does")


class Ending:
    """Has nothing to do."""

    async def run(self) -> None:
        return


class Stopping:
    """Tells the process to end once another duty has failed three times; then takes its time."""

    def __init__(self, log: Path) -> None:
        self._log = log

    async def run(self) -> None:
        while not self._log.exists() or len(self._log.read_text()) < 3:
            await asyncio.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                self._log.with_name("cancelled").touch()


def keep_all(log: Path) -> None:
    """A keeper with all of these duties."""
    keep(lambda: [Failing(log), Ending(), Stopping(log)], pause=0.0)


def test_duties(tmp_path: Path) -> None:
    """One that fails is begun again, one that ends is not, and one that does not end in time is left."""
    log = tmp_path / "log"
    process = get_context("spawn").Process(target=keep_all, args=(log,))
    process.start()
    process.join()

    assert process.exitcode == 0
    assert len(log.read_text()) >= 3
    assert (tmp_path / "cancelled").exists()
