"""The section `middleware`: where clients are sent for blobs, and what packages of the operator wrap around a registry.

A package names its factory as an entry point: `entrepot.middleware.registry`, called with a `Registry` and the options,
or `entrepot.middleware.repository`, called with a `WritableRepository`, its name and the options; each answers another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

from entrepot.config.middleware import Extension, Middleware
from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName
from entrepot.registry import Page, Registry, Repository, WritableRepository
from entrepot.server.listener import StartFailed
from entrepot.storage import layout

REGISTRY, REPOSITORY = "entrepot.middleware.registry", "entrepot.middleware.repository"

RegistryFactory = Callable[[Registry, Mapping[str, Any]], Registry]
RepositoryFactory = Callable[[WritableRepository, RepositoryName, Mapping[str, Any]], WritableRepository]


def check_middleware(middleware: Middleware) -> None:
    """Raises StartFailed where something that is named is not installed, or cannot be loaded."""
    for group, extensions in ((REGISTRY, middleware.registry), (REPOSITORY, middleware.repository)):
        for extension in _enabled(extensions):
            _load(group, extension)


def wraps(middleware: Middleware) -> bool:
    """Whether anything stands around the registry."""
    return bool(_enabled(middleware.registry) or _enabled(middleware.repository))


def wrapped(registry: Registry, middleware: Middleware) -> Registry:
    """The registry within all that is configured, in order. Raises StartFailed."""
    for extension in _enabled(middleware.registry):
        registry = cast("RegistryFactory", _load(REGISTRY, extension))(registry, extension.options)
    factories = [
        (cast("RepositoryFactory", _load(REPOSITORY, extension)), extension.options)
        for extension in _enabled(middleware.repository)
    ]
    return _WrappedRepositories(registry, factories) if factories else registry


def redirection(middleware: Middleware) -> Callable[[Digest], str] | None:
    """Where a blob is to be had instead; None where clients get it here."""
    steps = [one for one in middleware.storage if not one.disabled]
    if not any(one.name == "redirect" for one in steps):
        return None  # of files there is no URL that could be rewritten

    def url_of(digest: Digest) -> str:
        url, path = "", layout.blob_data(digest)
        for one in steps:
            options = one.options
            if one.name == "redirect":
                url = options.baseurl.rstrip("/") + path
            elif url:
                url = _rewritten(url, options.scheme, options.host, options.trimpathprefix)
        return url

    return url_of


def _rewritten(url: str, scheme: str, host: str, prefix: str) -> str:
    parts = urlsplit(url)
    path = parts.path.removeprefix(prefix) if prefix else parts.path
    return urlunsplit((scheme or parts.scheme, host or parts.netloc, path, parts.query, ""))


def _enabled(extensions: Sequence[Extension]) -> list[Extension]:
    return [one for one in extensions if not one.disabled]


def _load(group: str, extension: Extension) -> object:
    installed = entry_points(group=group)
    for one in installed:
        if one.name == extension.name:
            return _loaded(one)
    known = ", ".join(sorted(one.name for one in installed)) or "none"
    kind = group.rpartition(".")[2]
    raise StartFailed(f"middleware.{kind}: {extension.name} is not installed; installed are: {known}")


def _loaded(point: EntryPoint) -> object:
    try:
        return point.load()
    except Exception as error:
        kind = point.group.rpartition(".")[2]
        raise StartFailed(f"middleware.{kind}: {point.name} cannot be loaded: {error}") from None


class _WrappedRepositories:
    """A registry whose repositories are wrapped, each when it is asked for."""

    def __init__(self, registry: Registry, factories: Sequence[tuple[RepositoryFactory, Mapping[str, Any]]]) -> None:
        self._registry = registry
        self._factories = factories

    def reader(self, name: RepositoryName) -> Repository:
        return self._wrapped(cast("WritableRepository", self._registry.reader(name)), name)

    def writer(self, name: RepositoryName) -> WritableRepository:
        return self._wrapped(self._registry.writer(name), name)

    async def catalog(self, after: str, limit: int) -> Page[str]:
        return await self._registry.catalog(after, limit)

    def _wrapped(self, repository: WritableRepository, name: RepositoryName) -> WritableRepository:
        for factory, options in self._factories:
            repository = factory(repository, name, options)
        return repository
