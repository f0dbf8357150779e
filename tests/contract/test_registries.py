"""Every registry keeps the contract that the API is built on; a cache keeps its reading half."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from entrepot.drivers.filesystem import FilesystemDriver
from entrepot.drivers.guarded import Guarded
from entrepot.drivers.memory import MemoryDriver
from entrepot.mirror.caching import CachingRegistry
from entrepot.mirror.namespaces import Namespaces, Source
from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName
from entrepot.registry import Registry
from entrepot.storage.cache import LocalCache
from entrepot.storage.local import LocalRegistry
from entrepot.storage.validation import Rules
from entrepot.telemetry import SilentMeter
from entrepot.testing.images import SampleManifest
from entrepot.testing.ledgers import MemoryLedger
from entrepot.testing.registry_suite import ListSuite, ReadingSuite, RegistrySuite, Shelf
from entrepot.testing.upstreams import TestUpstream
from entrepot.upstream.client import OciUpstream


@pytest.fixture
def files(tmp_path: Path) -> Iterator[FilesystemDriver]:
    """A driver on files."""
    driver = FilesystemDriver(str(tmp_path))
    yield driver
    driver.close()


class TestInMemory(RegistrySuite):
    """A registry in memory: blobs come as streams."""

    @pytest.fixture
    def registry(self) -> Registry:
        return LocalRegistry(Guarded(MemoryDriver()), None, Rules())


class TestOnFiles(RegistrySuite):
    """A registry on files, which are named rather than read, and whose sizes are remembered."""

    @pytest.fixture
    def registry(self, files: FilesystemDriver) -> Registry:
        return LocalRegistry(files, files, Rules(), 100)


class UpstreamShelf:
    """Fills a mirror by what its upstream has."""

    def __init__(self, upstream: TestUpstream) -> None:
        self._upstream = upstream

    async def add_blob(self, name: RepositoryName, content: bytes) -> Digest:
        return self._upstream.add_blob(name, content)

    async def add_image(self, name: RepositoryName, made: SampleManifest, *tags: str) -> Digest:
        digest = self._upstream.add_image(name, "", made)
        del self._upstream.repositories[name].tags[""]
        self._upstream.repositories[name].tags.update(dict.fromkeys(tags, digest))
        return digest


class TestMirror(ReadingSuite, ListSuite):
    """A mirror of an upstream on a real socket, on files."""

    @pytest.fixture
    async def upstream(self) -> AsyncIterator[TestUpstream]:
        async with TestUpstream() as upstream:
            yield upstream

    @pytest.fixture
    async def registry(self, files: FilesystemDriver, upstream: TestUpstream) -> AsyncIterator[Registry]:
        client = OciUpstream(upstream.url)
        local = LocalRegistry(files, files, Rules())
        namespaces = Namespaces([Source("upstream", client, ())], lambda name: False)
        yield CachingRegistry(LocalCache(local, files), namespaces, local, MemoryLedger(), SilentMeter())
        await client.close()

    @pytest.fixture
    def shelf(self, upstream: TestUpstream) -> Shelf:
        return UpstreamShelf(upstream)
