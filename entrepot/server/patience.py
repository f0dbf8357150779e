"""How long clients and workers may take. Holds numbers; whoever waits enforces them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """In seconds. Only tests need other values than these."""

    headers: float = 30.0
    """From the first byte of a request, or the end of the one before, to the end of its headers."""

    body: float = 60.0
    """Without a byte of a request's body; a body that trickles uses it up too."""

    reader: float = 120.0
    """Without the client taking anything of what was sent to it."""

    settling: float = 5.0
    """A server whose workers end twice within this time of its start cannot work; later it goes on trying."""

    purging: float = 59 * 60.0
    """Longest time from the start to the first purging of uploads; whole minutes of it are chosen by chance."""
