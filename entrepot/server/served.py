"""What a worker serves, put together: values for the application to use. Must not know how they were made."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from entrepot.registry import Hits, Naming, Outcome, Registry

Background = Callable[[], Coroutine[Any, Any, None]]
"""What runs beside the requests, in their event loop, until it is cancelled."""


@dataclass(frozen=True, slots=True)
class Served:
    """A registry; what it answers without waiting, and how that is come by; and what has to run beside it."""

    registry: Registry
    hits: Hits | None
    outcome: Outcome | None = None
    naming: Naming | None = None
    background: Sequence[Background] = ()
