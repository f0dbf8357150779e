"""The machine and the programs of a run, in words that hold nothing to find the machine by."""

import os
import platform
import re
import shutil
from pathlib import Path

import entrepot
from tests.real.processes import ProgramFailed, run

PROGRAMS = {
    "docker-registry": ["docker-registry", "--version"],
    "nginx": ["sh", "-c", "nginx -v 2>&1"],
    "wrk": ["sh", "-c", "wrk -v 2>&1 || true"],
    "ab": ["ab", "-V"],
    "curl": ["curl", "--version"],
}


def describe(directory: Path) -> list[str]:
    """Return one line for each fact; `directory` is where the data directories are."""
    release = re.match(r"[\d.]+", platform.release())
    return [
        f"{len(os.sched_getaffinity(0))} cores ({processor()}), {memory_gib():.0f} GiB of memory",
        f"Linux {release.group(0) if release else ''}, {file_system(directory)}, {platform.machine()}",
        f"Entrepot {entrepot.__version__} on Python {platform.python_version()}",
        *(f"{name} {version(command)}" for name, command in PROGRAMS.items()),
    ]


def processor() -> str:
    """The name of the processor, where the system tells."""
    found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    return found.group(1) if found else "unknown processor"


def memory_gib() -> float:
    """The machine's memory."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (1 << 30)


def file_system(directory: Path) -> str:
    """The type of the file system that a directory lies on."""
    try:
        return run(["stat", "-f", "-c", "%T", str(directory)]).strip()
    except ProgramFailed:
        return "unknown file system"


def version(command: list[str]) -> str:
    """The first version number that a program prints about itself."""
    if shutil.which(command[0]) is None:
        return "(not installed)"
    found = re.search(r"\d+(\.\d+)+", run(command))
    return found.group(0) if found else "(unknown version)"
