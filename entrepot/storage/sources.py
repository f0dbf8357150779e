"""Where to mount a blob from when the client does not say: some repository that may read it (OCI anonymous mount)."""

from __future__ import annotations

from collections.abc import Callable

from entrepot.driver import Driver
from entrepot.oci.digest import Digest
from entrepot.oci.errors import BlobUnknown
from entrepot.oci.names import RepositoryName
from entrepot.registry import Page
from entrepot.storage.blobs import BlobStore
from entrepot.storage.catalog import page_of_names

_PAGE = 100
_PAGES = 10


async def find_source(
    driver: Driver, blobs: BlobStore, digest: Digest, mountable: Callable[[RepositoryName], bool]
) -> RepositoryName | None:
    """The first `mountable` repository, of the first thousand, that links the blob; None where there is none.

    That the content is in the store is not enough: the last repository that could read it may have deleted it.
    """
    if not await blobs.has(digest):
        return None
    page: Page[str] = Page((), more=True)
    for _ in range(_PAGES):
        page = await page_of_names(driver, page.items[-1] if page.items else "", _PAGE)
        for item in page.items:
            name = RepositoryName.parse(item)
            if mountable(name) and await _reads(blobs, name, digest):
                return name
        if not page.more:
            break
    return None


async def _reads(blobs: BlobStore, name: RepositoryName, digest: Digest) -> bool:
    try:
        await blobs.stat(name, digest)
    except BlobUnknown:
        return False
    return True
