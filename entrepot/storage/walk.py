"""Walking over what a store holds: its repositories by name, and directories that are called as digests.

Memory is bounded by a batch. Must not know what is looked for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from entrepot.driver import Driver
from entrepot.oci.digest import Digest
from entrepot.oci.errors import DigestInvalid
from entrepot.oci.names import RepositoryName
from entrepot.registry import Page
from entrepot.storage.catalog import page_of_names

_BATCH = 1000


async def all_names(driver: Driver, *, passes_over: bool) -> AsyncIterator[RepositoryName]:
    """Every repository; `passes_over` as in `page_of_names`. Who removes what nobody needs must pass over nobody."""
    page: Page[str] = Page((), more=True)
    while page.more:
        page = await page_of_names(driver, page.items[-1] if page.items else "", _BATCH, passes_over=passes_over)
        for name in page.items:
            yield RepositoryName(name)


def as_digests(algorithm: str, names: Sequence[str]) -> list[Digest]:
    """What the entries of a directory name; what is no digest was put there by somebody else."""
    found = []
    for name in names:
        try:
            found.append(Digest.parse(f"{algorithm}:{name}"))
        except DigestInvalid:
            continue
    return found
