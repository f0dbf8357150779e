"""The contract of a registry, as tests for any of them. Needs pytest and pytest-asyncio. Used so:

    class TestMine(RegistrySuite):
        @pytest.fixture
        def registry(self, tmp_path: Path) -> Registry:
            return MyRegistry(tmp_path)

What can only be read, such as a cache, keeps `ReadingSuite` and `ListSuite`; for them the fixture `shelf` says how
things get into it.
"""

from __future__ import annotations

import pytest

from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName
from entrepot.registry import Registry
from entrepot.testing.images import SampleManifest
from entrepot.testing.registry_contents import push, upload
from entrepot.testing.registry_lists import ListSuite
from entrepot.testing.registry_reading import ReadingSuite, Shelf
from entrepot.testing.registry_uploads import UploadSuite
from entrepot.testing.registry_writing import WritingSuite

__all__ = ["ListSuite", "ReadingSuite", "RegistrySuite", "Shelf"]


class PushingShelf:
    """Fills a registry by pushing to it."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def add_blob(self, name: RepositoryName, content: bytes) -> Digest:
        return (await upload(self._registry.writer(name), content)).digest

    async def add_image(self, name: RepositoryName, made: SampleManifest, *tags: str) -> Digest:
        return await push(self._registry.writer(name), made, *tags)


class RegistrySuite(ReadingSuite, ListSuite, UploadSuite, WritingSuite):
    """All tests of the contract. The subclass gives the fixture `registry`: an empty registry, closed afterwards."""

    pytestmark = pytest.mark.asyncio

    @pytest.fixture
    def shelf(self, registry: Registry) -> Shelf:
        """What is pushed can be read."""
        return PushingShelf(registry)
