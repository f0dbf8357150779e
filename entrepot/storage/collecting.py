"""A duty: collects garbage again and again while the registry is served."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import Any

from entrepot.storage.garbage import Garbage
from entrepot.telemetry import get_logger

log = get_logger(__name__)

_LEAST_PAUSE = 1.0  # seconds


class Collecting:
    """Every `interval` seconds. The first time comes after a time chosen by chance, up to `delay` seconds."""

    def __init__(self, build: Callable[[], Garbage[Any]], interval: float, delay: float) -> None:
        self._build = build
        self._interval = max(interval, _LEAST_PAUSE)
        self._delay = delay

    async def run(self) -> None:
        """Until cancelled."""
        first = secrets.randbelow(int(min(self._delay, self._interval)) + 1)
        log.info("garbage_collection_scheduled", seconds=first)
        await asyncio.sleep(first)
        garbage = self._build()
        while True:
            began = time.monotonic()
            collected = await garbage.collect()
            log.info(
                "garbage_collected",
                blobs=collected.blobs,
                manifests=collected.manifests,
                links=collected.links,
                size=collected.size,
                seconds=round(time.monotonic() - began, 3),
            )
            await asyncio.sleep(self._interval)
