"""The keeper of a server that runs: which process it is, and what it holds open."""

import os
from pathlib import Path

from tests.http.processes import is_gone
from tests.http.waiting import wait_until

NAME = "entrepot-keeper"


def children(process: int) -> list[int]:
    """All children, whichever thread forked them: the workers, and the keeper."""
    threads = Path(f"/proc/{process}/task").iterdir()
    return [int(word) for thread in threads for word in (thread / "children").read_text().split()]


def keepers(server: int) -> list[int]:
    """The keeper of the server, or none."""
    return [child for child in children(server) if _name(child) == NAME and not is_gone(child)]


def await_keeper(server: int) -> int:
    """The keeper once it has begun."""
    wait_until(lambda: len(keepers(server)) == 1)
    return keepers(server)[0]


def listens_on(process: int, port: int) -> bool:
    """Whether the process holds a socket that listens on this port of 127.0.0.1."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {f"socket:[{row[9]}]" for row in rows if row[1] == f"0100007F:{port:04X}" and row[3] == "0A"}
    return any(os.readlink(entry) in inodes for entry in Path(f"/proc/{process}/fd").iterdir())


def _name(process: int) -> str:
    try:
        return Path(f"/proc/{process}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""
