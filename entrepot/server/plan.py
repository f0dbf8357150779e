"""A plan: all that a worker needs to know, made once by the supervisor and sent to each. Holds values, and
what the processes share.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from pathlib import Path

from entrepot.config.root import Configuration
from entrepot.health.state import HealthState
from entrepot.server.patience import Patience
from entrepot.wire.via import new_name


@dataclass(frozen=True, slots=True)
class Plan:
    """`secret` signs upload states: the same for all workers, and across restarts where `http.secret` is set.

    `outbox` is the file in which events wait for whom they are told. `instance` is an id of this run.
    `name` is ours among the servers that a request may come through, and no other's.
    `debug` is the directory in which all processes can be asked, and count; None where there is no debug listener.
    `health` is what they all know of the checks; None where there are none.
    """

    configuration: Configuration
    secret: bytes
    patience: Patience
    outbox: str = ""
    instance: str = field(default_factory=lambda: str(uuid.uuid4()))
    name: str = field(default_factory=new_name)
    debug: Path | None = None
    health: HealthState | None = None

    @property
    def figures(self) -> Path | None:
        """Where to count; None where nobody asked for figures."""
        return self.debug if self.configuration.http.debug.prometheus.enabled else None
