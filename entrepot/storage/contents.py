"""All digests under which something lies in the store, whoever needs it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from entrepot.driver import Driver, PathInvalid, PathNotFound
from entrepot.oci.digest import ENCODED_LENGTH, Digest
from entrepot.storage import layout
from entrepot.storage.walk import as_digests


async def contents(driver: Driver, batch: int) -> AsyncIterator[Sequence[Digest]]:
    """In batches; what lies elsewhere than in its place is left out."""
    for algorithm in ENCODED_LENGTH:
        directory = f"{layout.ROOT}/blobs/{algorithm}"
        for first in await _list(driver, directory):
            names = await _list(driver, f"{directory}/{first}")
            for start in range(0, len(names), batch):
                some = names[start : start + batch]
                yield as_digests(algorithm, [name for name in some if name.startswith(first)])


async def _list(driver: Driver, directory: str) -> Sequence[str]:
    try:
        return await driver.list(directory)
    except (PathNotFound, PathInvalid):
        return ()
