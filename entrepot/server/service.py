"""What a service manager gives and is told: listening sockets (sd_listen_fds(3)), and how far we are (sd_notify(3))."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress

_FIRST = 3

READY, STOPPING = "READY=1", "STOPPING=1"


def passed_socket(environ: Mapping[str, str] = os.environ) -> int | None:
    """The number of the listening socket that this process was started with; None where there is none.

    The variables are for this process alone, as they name it: its children find another number there.
    """
    if environ.get("LISTEN_PID") != str(os.getpid()) or environ.get("LISTEN_FDS") in (None, "", "0"):
        return None
    os.set_inheritable(_FIRST, False)
    return _FIRST


def notify(state: str) -> None:
    """Tell the service manager, where there is one that wants to know."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.sendto(state.encode(), f"\0{address[1:]}" if address.startswith("@") else address)


def reloading() -> str:
    """What is told before workers are replaced; READY follows."""
    return f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}"
