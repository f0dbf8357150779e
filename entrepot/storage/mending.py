"""Mends what a check has found: damaged content is put aside, so that it can come anew, and links to nothing leave."""

from __future__ import annotations

from contextlib import suppress

from entrepot.driver import Driver, PathInvalid, PathNotFound
from entrepot.oci.digest import Digest
from entrepot.storage import layout
from entrepot.storage.soundness import Finding

QUARANTINE = "/entrepot/quarantine"
"""Where content lies that is not what its name says; nothing serves or removes it."""


class Mending:
    """Of one store. Raises what the driver raises."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def mend(self, finding: Finding) -> str | None:
        """What was done; None where there is nothing that could be."""
        if finding.content is not None:
            return await self._put_aside(finding.content)
        if finding.link:
            with suppress(PathNotFound):
                await self._driver.delete(finding.link)
            return "removed"
        return None

    async def _put_aside(self, digest: Digest) -> str:
        path, aside = layout.blob_data(digest), f"{QUARANTINE}/{digest.algorithm}-{digest.encoded}"
        try:
            await self._driver.move(path, aside)
        except PathNotFound:
            return "gone"
        except PathInvalid:  # no file that anybody could look at
            await self._driver.delete(path)
            return "removed"
        return f"put aside as {aside[1:]}; a push, or the upstream, brings it anew"
