"""Whether figures are counted, where, and the meter that each process counts with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from entrepot.config.http import Debug
from entrepot.metrics.directory import private_directory
from entrepot.metrics.meter import PrometheusMeter
from entrepot.server.listener import StartFailed
from entrepot.server.plan import Plan
from entrepot.server.served import Background
from entrepot.telemetry import Meter, SilentMeter


@contextmanager
def debug_directory(debug: Debug) -> Iterator[Path | None]:
    """The one for `Plan.debug`, removed at the end; None where nobody can ask anything. Raises StartFailed."""
    if not debug.addr:
        yield None
        return
    with ExitStack() as stack:
        try:
            path = stack.enter_context(private_directory())
        except OSError as error:
            raise StartFailed(f"http.debug.addr: no directory among the temporary files: {error}") from None
        yield path


def written(meter: Meter) -> list[Background]:
    """What writes down what is counted of requests, beside them."""
    return [meter.run] if isinstance(meter, PrometheusMeter) else []


def meter_for(plan: Plan) -> Meter:
    """The meter of this process, made after its fork and once. Raises OSError."""
    return PrometheusMeter(plan.figures) if plan.figures is not None else SilentMeter()
