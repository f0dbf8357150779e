"""Runs `operation` in processes whose system calls are recorded, made to fail, or made to kill."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.programs import need

KILLED = "killed"
_LINE = re.compile(r"(?:\d+ +)?(\w+)\((.*)\) += \d+")
_ENVIRONMENT = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}  # bytecode would be renamed into place: a counted call


def run(root: Path, name: str, prefix: Sequence[str] = ()) -> str:
    """What came of the operation: `done`, the name of an error, or KILLED."""
    command = [*prefix, sys.executable, "-m", "tests.unit.drivers.operation", str(root), name]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=_ENVIRONMENT)
    if result.returncode == -9:
        return KILLED
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def run_broken(root: Path, name: str, calls: str, fault: str) -> str:
    """`run`, with `fault` injected into `calls`, both as strace writes them."""
    strace = [need("strace"), "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}", "-e", f"inject={calls}:{fault}"]
    return run(root, name, strace)


def recorded(root: Path, name: str, trace: Path) -> list[str]:
    """The changes and syncs below `root` of an operation, in order: `mkdir t`, `fsync ROOT`, `rename t/TMP t/link`."""
    calls = "mkdirat,unlinkat,writev,fsync,fdatasync,renameat,renameat2"
    strace = [need("strace"), "-f", "-qq", "-y", "-z", "-o", str(trace), "-e", f"trace={calls}"]
    assert run(root, name, strace) == "done"
    lines = map(_LINE.fullmatch, trace.read_text().splitlines())
    return [_step(match[1], match[2], str(root.resolve())) for match in lines if match is not None]


def _step(call: str, arguments: str, root: str) -> str:
    paths = re.findall(r'\d+<([^>]*)>(?:, "([^"]*)")?', arguments)
    names = ["/".join(part for part in pair if part).removeprefix(root).strip("/") or "ROOT" for pair in paths]
    words = [re.sub(r"[0-9a-f-]{36}\.tmp", "TMP", name) for name in names]
    return " ".join([call.removesuffix("at").removesuffix("at2"), *words])
