"""Links: files whose content is a digest. They say what a repository may read, and are asked on every request."""

from __future__ import annotations

from functools import lru_cache

from entrepot.driver import Driver, PathNotFound
from entrepot.oci.digest import CANONICAL, Digest
from entrepot.oci.errors import DigestInvalid
from entrepot.telemetry import get_logger

log = get_logger(__name__)


async def read_link(driver: Driver, path: str) -> Digest:
    """The digest a link names. Raises PathNotFound where there is none.

    A torn or garbled link counts as none: the client pushes again, or the upstream is asked again, and it is healed.
    """
    try:
        return parse_link(await driver.get(path))
    except DigestInvalid:
        log.error("link_damaged", path=path)
        raise PathNotFound(path) from None


async def read_alias(driver: Driver, path: str, digest: Digest) -> Digest:
    """The digest under which the content called `digest` lies, by the link at `path`. Raises PathNotFound.

    Another one only where Distribution wrote an alias: a sha512 link that names the sha256.
    """
    target = await read_link(driver, path)
    if target == digest or (target.algorithm == CANONICAL != digest.algorithm):
        return target
    log.error("link_damaged", path=path)
    raise PathNotFound(path)


@lru_cache(maxsize=8192)
def parse_link(content: bytes) -> Digest:
    """The digest in a link's content. Raises DigestInvalid."""
    return Digest.parse(content.decode("ascii", "replace"))


async def write_link(driver: Driver, path: str, digest: Digest) -> None:
    """Create or repoint a link, durably."""
    await driver.put(path, digest.encode("ascii"))
