"""Mends what a check has found: damaged content is put aside, so that it can come anew, and links to nothing leave."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from entrepot.driver import Driver, LocalPaths, PathInvalid, PathNotFound
from entrepot.oci.digest import Digest
from entrepot.storage import layout
from entrepot.storage.evicted import Identity, rename_away
from entrepot.storage.findings import Finding, checked

QUARANTINE = "/entrepot/quarantine"
"""Where content lies that is not what its name says; nothing serves or removes it."""


class Mending:
    """Of one store."""

    def __init__(self, driver: Driver, local: LocalPaths) -> None:
        self._driver = driver
        self._local = local

    async def mend(self, finding: Finding) -> str | None:
        """What was done, or why it could not be; None where there is nothing that could be."""
        try:
            if finding.content is not None:
                return await self._put_aside(finding.content, finding.identity)
            if finding.link:
                return await self._remove(finding)
        except PathInvalid:
            return "could not be mended: remove by hand what is in the place of a file or a directory"
        except OSError as error:
            return f"could not be mended: {error.strerror}"
        return None

    async def _remove(self, finding: Finding) -> str:
        if finding.check is not None and await checked(finding.check) is None:
            return "is sound by now"
        with suppress(PathNotFound):
            await self._driver.delete(finding.link)
        return "removed"

    async def _put_aside(self, digest: Digest, identity: Identity | None) -> str:
        path, aside = layout.blob_data(digest), f"{QUARANTINE}/{digest.algorithm}-{digest.encoded}"
        if identity is not None:
            # By the name that it has after this nobody can have pushed it anew.
            evicted = layout.blob_evicted(digest)
            places = self._local.local_path(path), self._local.local_path(evicted)
            if not await asyncio.to_thread(rename_away, *places, identity):
                return "changed meanwhile"
            path = evicted
        try:
            await self._driver.move(path, aside)
        except PathNotFound:
            return "gone"
        except PathInvalid:  # no file that anybody could look at
            await self._driver.delete(path)
            return "removed"
        return f"put aside as {aside[1:]}; a push, or the upstream, brings it anew"
