"""The command run to its end, or started: what it prints on which stream, and how it ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.leaks import check_printed
from tests.real.processes import RUN_LIMIT, clean_environment
from tests.servers import base_settings, merge

COMMAND = (sys.executable, "-m", "entrepot")


@dataclass(frozen=True)
class Ended:
    """Exit status and what was printed."""

    status: int
    out: str
    err: str


def entrepot(*arguments: str, environment: Mapping[str, str] | None = None, directory: Path | None = None) -> Ended:
    """Run the command, which must end by itself, and print no secret."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=directory,
        env=clean_environment(environment),
        timeout=RUN_LIMIT,
        check=False,
    )
    check_printed(done.stdout + done.stderr)
    return Ended(done.returncode, done.stdout, done.stderr)


def write_config(directory: Path, settings: Mapping[str, Any] | None = None, *, port: int = 0) -> Path:
    """A configuration in `directory` that serves a registry there, with these settings merged into it."""
    path = directory / "config.yml"
    path.write_text(yaml.safe_dump(merge(base_settings(directory / "data", port), settings or {})))
    return path


def serve(directory: Path, settings: Mapping[str, Any], **options: Any) -> Ended:
    """Run `entrepot serve` with a configuration that it cannot serve."""
    return entrepot("serve", str(write_config(directory, settings)), **options)


def check_cannot_start(ended: Ended, *words: str) -> None:
    """It ended with 1, and one line on standard error that has all these words says why."""
    assert ended.status == 1, ended
    assert ended.out == ""
    [line] = ended.err.splitlines()
    assert line.startswith("entrepot cannot start: "), line
    assert not [word for word in words if word not in line], line


def signal_all(processes: Sequence[int], number: signal.Signals) -> None:
    """Send a signal to each of these processes that is still there."""
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, number)
