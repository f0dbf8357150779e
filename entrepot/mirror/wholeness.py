"""Whether a kept blob still has the size that it was kept with: what is shorter or longer is no hit, and comes anew.

What has changed within its size is for a check of the whole store to find. Must not know files.
"""

from __future__ import annotations

from entrepot.ledger import Ledger
from entrepot.oci.digest import Digest

_REMEMBERED = 100_000


class Wholeness:
    """What one worker knows of it. May be asked in any thread."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._right: dict[Digest, int] = {}

    def is_whole(self, digest: Digest, size: int) -> bool:
        """Whether content of `size` bytes can be the blob; so it is where nobody remembers how large it was."""
        if self._right.get(digest) == size:
            return True
        kept = self._ledger.kept_size(digest)
        if kept not in (None, size):
            return False
        if len(self._right) >= _REMEMBERED:
            self._right = {}
        self._right[digest] = size
        return True
