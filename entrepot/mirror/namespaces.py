"""Which upstream a repository comes from, and what it is called there and here.

The root upstream's repositories keep their names; those of a further one are kept below its namespace, as
`ghcr.io/owner/name`. Must not know HTTP messages.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from re import Pattern

from entrepot.mirror.freshness import Freshness
from entrepot.oci.errors import Denied, NameUnknown
from entrepot.oci.names import RepositoryName
from entrepot.upstream.base import Upstream

DOCKER_HUB = frozenset({"docker.io", "registry-1.docker.io", "index.docker.io"})
"""The names that clients and configurations call one registry by."""

_OFFICIAL = "library"
_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Source:
    """An upstream and the rules for what comes from it.

    `namespaces` are what clients may call it by, in `ns=` or as the host; `directory` is the first component of its
    repositories' names here, empty for the root. `label` names it in logs and metrics.
    """

    label: str
    upstream: Upstream
    namespaces: Collection[str]
    directory: str = ""
    freshness: Freshness = field(default_factory=Freshness)
    allow: Sequence[Pattern[str]] = ()
    deny: Sequence[Pattern[str]] = ()

    @property
    def is_docker_hub(self) -> bool:
        """Whether names of one component are short for those of the official images."""
        return not DOCKER_HUB.isdisjoint(self.namespaces)

    def permits(self, remote: str) -> bool:
        """Whether the repository, by its name at the upstream, may be pulled through."""
        if any(pattern.fullmatch(remote) for pattern in self.deny):
            return False
        return not self.allow or any(pattern.fullmatch(remote) for pattern in self.allow)


@lru_cache(maxsize=256)
def _plain(host: str) -> str:
    """A host as upstreams are named, however a client writes it."""
    return host.lower().removesuffix(":443").removesuffix(":80").rstrip(".")


class Namespaces:
    """All sources of a mirror; a `Naming`. Repositories for which `is_local` is true come from none of them."""

    def __init__(self, sources: Sequence[Source], is_local: Callable[[RepositoryName], bool]) -> None:
        self.sources = sources
        self.is_local = is_local
        self._by_namespace: Mapping[str, Source] = {
            namespace: source for source in sources for namespace in source.namespaces
        }
        self._by_directory: Mapping[str, Source] = {source.directory: source for source in sources}
        self._located = lru_cache(maxsize=_REMEMBERED)(self._locate)

    def locate(self, name: RepositoryName, namespace: str | None, host: str) -> RepositoryName:
        # Other hosts than those of upstreams say nothing, and must not fill what is remembered.
        asked = _plain(host) if namespace is None and self.serves_host(host) else ""
        return self._located(name, namespace, asked)

    def source(self, name: RepositoryName) -> Source:
        """Where a located repository comes from. Raises NameUnknown."""
        first, _, rest = name.partition("/")
        source = self._by_directory.get(first) if rest else None
        source = source or self._by_directory.get("")
        if source is None:
            raise NameUnknown({"name": name})
        return source

    def remote(self, name: RepositoryName) -> RepositoryName:
        """What a located repository is called at its upstream."""
        directory = self.source(name).directory
        return RepositoryName(name[len(directory) + 1 :]) if directory else name

    def serves_host(self, host: str) -> bool:
        """Whether the host that a client asks says which upstream is meant."""
        return _plain(host) in self._by_namespace

    def _locate(self, name: RepositoryName, namespace: str | None, host: str) -> RepositoryName:
        source = self._named(namespace, host)
        if source is None and self.is_local(name):
            return name
        located = self._place(name, source)
        source, remote = self.source(located), self.remote(located)
        if not source.permits(remote):
            raise Denied(f"{remote} is not mirrored from {source.label}")
        return located

    def _named(self, namespace: str | None, host: str) -> Source | None:
        """The source that `ns=` or the host names; a mirror of any host that is asked for would be an open proxy."""
        if namespace is None:
            return self._by_namespace.get(host)
        source = self._by_namespace.get(namespace.lower())
        if source is None:
            raise NameUnknown({"ns": namespace[:255]})
        return source

    def _place(self, name: RepositoryName, source: Source | None) -> RepositoryName:
        first, _, rest = name.partition("/")
        if rest and (source is None or first in (source.directory, *source.namespaces)):
            # By path; also beside `ns=`, where a client's mirror has a path of its own.
            named = self._by_directory.get(first) or self._by_namespace.get(first)
            if named is not None:
                source, name = named, RepositoryName(rest)
        source = source or self._by_directory.get("")
        if source is None:
            raise NameUnknown({"name": name})
        if source.is_docker_hub and "/" not in name:
            name = RepositoryName(f"{_OFFICIAL}/{name}")
        return RepositoryName.parse(f"{source.directory}/{name}") if source.directory else name
