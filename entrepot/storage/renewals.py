"""What clients have been told is here counts as used: its link is written anew now and then, so that it is not old.

A client that finds a blob does not send it, and names it in a manifest some time later. Between the two a collection
must not remove it. Local files only.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

from entrepot.content import Blob, Manifest, Select
from entrepot.driver import LocalPaths
from entrepot.oci.descriptor import Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName, Tag
from entrepot.registry import Hit, Hits, Parts
from entrepot.storage import layout

T = TypeVar("T")

_REMEMBERED = 100_000
_SHARE = 4
"""A link that has lived for such a part of its time is renewed: the other parts are the client's."""


class Renewals:
    """Of one worker, in any thread; nothing goes that is younger than `age` seconds."""

    def __init__(self, local: LocalPaths, age: float, clock: Callable[[], float] = time.time) -> None:
        self._local = local
        self._fresh = age / _SHARE
        self._clock = clock
        self._until: dict[str, float] = {}

    def renew(self, link: str) -> bool:
        """Make sure that the link is young; False where it is gone. Costs nothing for a while after it was done."""
        now = self._clock()
        if self._until.get(link, 0.0) > now:
            return True
        path = self._local.local_path(link)
        try:
            modified = os.lstat(path).st_mtime
            if not now - self._fresh < modified <= now:
                modified = now
                os.utime(path, follow_symlinks=False)
        except FileNotFoundError:
            return False
        except OSError:
            # It cannot be written now, and then cannot be removed either.
            return True
        if len(self._until) >= _REMEMBERED:
            self._until = {}
        self._until[link] = modified + self._fresh
        return True

    def is_fresh(self, link: str) -> bool:
        """Whether it is known to be young enough."""
        return self._until.get(link, 0.0) > self._clock()


class RenewedHits:
    """Other `Hits`, less those whose link may have to be renewed, which is for the ordinary way."""

    def __init__(self, inner: Hits, renewals: Renewals) -> None:
        self._inner = inner
        self._renewals = renewals

    def manifest(self, name: RepositoryName, reference: Tag | Digest) -> Hit[Manifest] | None:
        # What a tag names is not collected.
        if not isinstance(reference, Digest):
            return self._inner.manifest(name, reference)
        return self._fresh(layout.revision_link(name, reference), lambda: self._inner.manifest(name, reference))

    def stat_blob(self, name: RepositoryName, digest: Digest) -> Hit[Descriptor] | None:
        return self._fresh(layout.layer_link(name, digest), lambda: self._inner.stat_blob(name, digest))

    def blob(self, name: RepositoryName, digest: Digest, select: Select | None = None) -> Hit[Blob] | None:
        return self._fresh(layout.layer_link(name, digest), lambda: self._inner.blob(name, digest, select))

    def parts(self, name: RepositoryName, digest: Digest) -> Hit[Parts] | None:
        return self._fresh(layout.layer_link(name, digest), lambda: self._inner.parts(name, digest))

    def _fresh(self, link: str, find: Callable[[], Hit[T] | None]) -> Hit[T] | None:
        if not self._renewals.is_fresh(link):
            return None
        hit = find()
        if hit is None:
            return None
        stands, is_fresh = hit.stands, self._renewals.is_fresh
        return Hit(hit.value, lambda: is_fresh(link) and stands())
