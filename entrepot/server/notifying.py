"""From the section `notifications` to who writes events down, and who tells endpoints of them."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from entrepot import __version__
from entrepot.config.drivers import Filesystem
from entrepot.config.notifications import Endpoint as ConfiguredEndpoint
from entrepot.config.root import Configuration
from entrepot.listener import DELETE, MOUNT, PULL, PUSH
from entrepot.metrics.directory import private_directory
from entrepot.notifications.delivery import Delivery, Endpoint
from entrepot.notifications.events import Source
from entrepot.notifications.journal import Journal
from entrepot.notifications.outbox import Outbox
from entrepot.notifications.posting import Poster
from entrepot.server.listener import StartFailed
from entrepot.server.metering import meter_for
from entrepot.server.plan import Plan
from entrepot.telemetry import Meter

_NAME = "outbox.db"
_ACTIONS = (PULL, PUSH, MOUNT, DELETE)


@contextmanager
def outbox_for(configuration: Configuration) -> Iterator[str]:
    """The path for `Plan.outbox`: beside the content, or where that is in memory until the end. Raises StartFailed."""
    storage = configuration.storage.driver
    if isinstance(storage, Filesystem):
        yield os.path.join(storage.rootdirectory, "entrepot", _NAME)
        return
    if not enabled(configuration):
        yield ""
        return
    try:
        temporary = private_directory()
        with temporary as directory:
            yield str(directory / _NAME)
    except OSError as error:
        raise StartFailed(f"notifications: no directory for events: {error}") from None


def enabled(configuration: Configuration) -> Sequence[ConfiguredEndpoint]:
    """The endpoints that are told."""
    return [one for one in configuration.notifications.endpoints if not one.disabled]


def build_journal(plan: Plan, meter: Meter) -> Journal | None:
    """What a worker writes events down with; None where nobody is told."""
    if not enabled(plan.configuration):
        return None
    return Journal(
        Outbox(plan.outbox),
        Source(_address(plan.configuration), plan.instance),
        wanted_actions(plan.configuration),
        meter,
        with_references=plan.configuration.notifications.events.includereferences,
    )


def wanted_actions(configuration: Configuration) -> Sequence[str]:
    """What at least one endpoint hears of."""
    ignored = [frozenset(one.ignore.actions) for one in enabled(configuration)]
    return [action for action in _ACTIONS if any(action not in one for one in ignored)]


def build_delivery(plan: Plan) -> Delivery:
    """The keeper's duty."""
    endpoints: list[Endpoint] = []
    for one in enabled(plan.configuration):
        # Distribution takes two of the same name.
        before = sum(other.name == one.name for other in endpoints)
        endpoints.append(_endpoint(one, f"{one.name}#{before + 1}" if before else one.name))
    return Delivery(Outbox(plan.outbox), endpoints, Poster(f"entrepot/{__version__}"), meter_for(plan))


def _endpoint(configured: ConfiguredEndpoint, key: str) -> Endpoint:
    ignore = configured.ignore
    return Endpoint(
        key=key,
        name=configured.name,
        url=configured.url,
        headers=[(name, value) for name, values in configured.headers.items() for value in values],
        timeout=configured.timeout,
        threshold=configured.threshold,
        backoff=configured.backoff,
        ignored_types=frozenset((*configured.ignoredmediatypes, *ignore.mediatypes)),
        ignored_actions=frozenset(ignore.actions),
    )


def _address(configuration: Configuration) -> str:
    listener = configuration.http.listener
    port = getattr(listener, "port", None)
    return socket.gethostname() if port is None else f"{socket.gethostname()}:{port}"
