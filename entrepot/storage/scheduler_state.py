"""`/scheduler-state.json`: when Distribution would have let go of what it has cached. Read once, never written.

Nothing in it is trusted: it only tells when something was stored, never what may be removed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from entrepot.driver import Driver, PathInvalid, PathNotFound
from entrepot.ledger import Kind
from entrepot.oci.digest import Digest
from entrepot.oci.errors import RegistryError
from entrepot.oci.names import RepositoryName
from entrepot.telemetry import get_logger
from entrepot.wire.ranges import Span

log = get_logger(__name__)

PATH = "/scheduler-state.json"

_LIMIT = 32 << 20  # bytes; about 100,000 entries
_KINDS = {0: Kind.BLOB, 1: Kind.MANIFEST}

Expiries = dict[tuple[RepositoryName, Digest, Kind], float]


async def read_expiries(driver: Driver) -> Expiries:
    """When each link would expire, in seconds since the epoch; empty where there is no such file, or it is damaged."""
    try:
        # One byte more than is taken shows that there is more.
        pieces = [piece async for piece in driver.read(PATH, Span(0, _LIMIT + 1))]
        return await asyncio.to_thread(_parse, b"".join(pieces))
    except PathNotFound:
        return {}
    except (OSError, PathInvalid, ValueError, RecursionError) as error:
        log.error("scheduler_state_ignored", error=str(error)[:200])
        return {}


def _parse(content: bytes) -> Expiries:
    if len(content) > _LIMIT:
        raise ValueError(f"more than {_LIMIT} bytes")
    entries = json.loads(content)
    if not isinstance(entries, dict):
        raise ValueError("not an object")  # noqa: TRY004  # what is wrong is the file, not the program
    found = dict(_read_all(entries))
    if len(found) < len(entries):
        log.warning("scheduler_entries_ignored", entries=len(entries) - len(found))
    return found


def _read_all(entries: dict[str, Any]) -> Iterator[tuple[tuple[RepositoryName, Digest, Kind], float]]:
    for entry in entries.values():
        try:
            name, _, digest = entry["Key"].partition("@")
            kind = _KINDS[entry["EntryType"]]
            expiry = _timestamp(entry["ExpiryData"])
            yield (RepositoryName.parse(name), Digest.parse(digest), kind), expiry
        except (TypeError, KeyError, AttributeError, ValueError, OverflowError, RegistryError):
            continue


def _timestamp(text: str) -> float:
    if len(text) > 64:
        raise ValueError("too long")
    at = datetime.fromisoformat(text)  # nanoseconds are cut
    return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()
