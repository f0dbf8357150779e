"""A misbehaving upstream on real sockets, and workers of a mirror that share nothing but a data directory."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from entrepot.content import Blob, Select
from entrepot.driver import Driver
from entrepot.drivers.filesystem import FilesystemDriver
from entrepot.mirror.caching import CachingRegistry
from entrepot.mirror.freshness import Freshness
from entrepot.mirror.namespaces import Namespaces, Source
from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName, Tag
from entrepot.storage.cache import LocalCache
from entrepot.storage.local import LocalRegistry
from entrepot.storage.validation import Rules
from entrepot.telemetry import SilentMeter
from entrepot.testing.ledgers import MemoryLedger
from entrepot.testing.registry_contents import read_body
from entrepot.testing.upstreams import TestUpstream
from entrepot.upstream.base import CredentialSource
from entrepot.upstream.breaker import Tolerance
from entrepot.upstream.client import Limits, OciUpstream

NAME = RepositoryName.parse("library/app")

# Faults here follow one another faster than any upstream would be forgiven them.
LIMITS = Limits(connect=5.0, idle=5.0, metadata=5.0, pauses=(), tolerance=Tolerance(failures=1_000_000))


class Worker:
    """One worker of a mirror: what it has cached is in `root`, where other workers find it."""

    def __init__(self, root: Path, url: str, credentials: CredentialSource | None = None) -> None:
        self.files = FilesystemDriver(str(root))
        self.ledger = MemoryLedger()
        self.freshness = Freshness()
        self.use(self.files)
        self.upstream = OciUpstream(url, credentials, limits=LIMITS)

    def use(self, driver: Driver) -> None:
        """Keep the content on this driver, whose files must be those of `files`."""
        self.local = LocalRegistry(driver, self.files, Rules())
        self._registry: CachingRegistry | None = None

    @property
    def registry(self) -> CachingRegistry:
        """What it serves."""
        if self._registry is None:
            source = Source("upstream", self.upstream, (), freshness=self.freshness)
            namespaces = Namespaces([source], lambda name: False)
            cache = LocalCache(self.local, self.files)
            self._registry = CachingRegistry(cache, namespaces, self.local, self.ledger, SilentMeter())
        return self._registry

    async def blob(self, digest: Digest, name: RepositoryName = NAME, select: Select | None = None) -> bytes:
        """What a client gets; less than was promised where the connection is cut."""
        return await read_body((await self.open(digest, name, select)).body)

    async def open(self, digest: Digest, name: RepositoryName = NAME, select: Select | None = None) -> Blob:
        """The answer to a client that asks for a blob."""
        return await self.registry.reader(name).open_blob(digest, select)

    async def pull(self, tag: str, name: RepositoryName = NAME) -> bytes:
        """The manifest that a client gets for a tag."""
        repository = self.registry.reader(name)
        return (await repository.manifest(await repository.resolve(Tag.parse(tag)))).content

    async def pull_until(self, tag: str, content: bytes) -> None:
        """Return once the tag gives this: an upstream that was asked too often is left alone for a moment."""
        while await self.pull(tag) != content:
            await asyncio.sleep(0.02)

    async def settled(self) -> None:
        """Return when no fill is under way any more."""
        while tasks := list(self.registry.fills._tasks):
            await asyncio.wait(tasks)

    async def die(self) -> None:
        """End as by kill -9: what is open is closed, and nobody is told."""
        for task in (tasks := list(self.registry.fills._tasks)):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> None:
        """End everything."""
        await self.die()
        await self.upstream.close()
        self.files.close()


Start = Callable[..., Worker]


@pytest.fixture
async def upstream() -> AsyncIterator[TestUpstream]:
    """An upstream that wants no credentials."""
    async with TestUpstream() as running:
        yield running


@pytest.fixture
async def start(root: Path, upstream: TestUpstream) -> AsyncIterator[Start]:
    """Start workers; on the one data directory, of the one upstream, unless told otherwise."""
    workers: list[Worker] = []

    def begin(url: str | None = None, credentials: CredentialSource | None = None) -> Worker:
        workers.append(Worker(root, url or upstream.url, credentials))
        return workers[-1]

    yield begin
    for worker in workers:
        await worker.close()


@pytest.fixture
def worker(start: Start) -> Worker:
    """The only worker."""
    return start()


def kept(root: Path) -> list[str]:
    """Everything that is no directory."""
    return [str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()]


def leftovers(root: Path) -> list[str]:
    """Files that are no blob and no link: spools and their records, temporary files. The index is neither."""
    names = ("data", "link")
    found = [path for path in root.rglob("*") if path.is_file() and path.name not in names]
    index = root / "entrepot"
    others = ("index.db", "writers")
    return [
        str(path.relative_to(root))
        for path in found
        if not (path.is_relative_to(index) and path.relative_to(index).parts[0].startswith(others))
    ]
