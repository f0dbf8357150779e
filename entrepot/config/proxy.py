"""The section `proxy`: the registries that this one is a pull-through cache of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from entrepot.config.document import Tree
from entrepot.config.freshness import Freshness
from entrepot.config.globs import Glob
from entrepot.config.hosts import as_domain
from entrepot.config.section import Given, value_at
from entrepot.config.sizes import Share, ShareOfDisk, Size
from entrepot.config.types import AnyPeriod, AnySeconds, Period, longer_than_zero_or
from entrepot.config.upstreams import Deadline, FurtherUpstream, Source, Upstream, root_domain


class Proxy(Upstream):
    """The root's upstream, those under namespaces, and what holds for all of them. Times are in seconds.

    `maxsize` bounds all that is kept, in bytes, 0 for no bound; `minfree` is how much of the file system stays free.
    `local` matches whole names of repositories that live here.
    """

    ttl: AnyPeriod = 7 * 24 * 3600.0
    freshness: Freshness = Freshness()
    stale: Period = 30 * 24 * 3600.0
    deadline: Deadline = 2.0
    maxsize: Size = 0
    minfree: ShareOfDisk = Share()
    local: tuple[Glob, ...] = ()
    upstreams: tuple[FurtherUpstream, ...] = ()
    cachewritetimeout: Annotated[AnySeconds, longer_than_zero_or(300.0)] | None = None

    @property
    def enabled(self) -> bool:
        """Whether anything is mirrored."""
        return bool(self.remoteurl or self.upstreams)

    @property
    def sources(self) -> tuple[Source, ...]:
        """Every upstream, with everything that it inherits: the root's, where there is one, and the others in order."""
        root = (self._source("", self),) if self.remoteurl else ()
        return (*root, *(self._source(upstream.namespace, upstream) for upstream in self.upstreams))

    def _source(self, namespace: str, upstream: Proxy | FurtherUpstream) -> Source:
        own = {key: getattr(upstream, key) for key in Upstream.model_fields}
        return Source.model_construct(
            **own,
            namespace=namespace,
            ttl=self.ttl if upstream.ttl is None else upstream.ttl,
            freshness=upstream.freshness or self.freshness,
            stale=self.stale if upstream.stale is None else upstream.stale,
            deadline=upstream.deadline or self.deadline,
            maxsize=0 if upstream is self else upstream.maxsize,
        )

    @classmethod
    def contradictions(cls, given: Given) -> Iterator[tuple[str, str]]:
        if not given.get("remoteurl"):
            yield from _without_root(cls.used(given), given)
        yield from super().contradictions(given)
        yield from _clashes(given)


def _without_root(used: bool, given: Given) -> Iterator[tuple[str, str]]:
    if used and not given.get("upstreams"):
        yield "remoteurl", "required where another key of proxy is given"
        return
    for key in Upstream.by_key():
        if given.get(key):
            yield key, "has no effect without remoteurl; each of upstreams takes its own"


def _clashes(given: Given) -> Iterator[tuple[str, str]]:
    """Namespaces that are given twice, or that the root's upstream has already."""
    upstreams = given.get("upstreams")
    taken = {_root(given.get("remoteurl")): "remoteurl is"}
    for position, upstream in enumerate(upstreams if isinstance(upstreams, list) else ()):
        namespace = value_at(upstream, "namespace") if isinstance(upstream, dict) else None
        if not isinstance(namespace, str) or not namespace:
            continue
        domain = as_domain(namespace)
        if domain in taken:
            yield "upstreams", f"{namespace[:64]!r} of upstreams[{position}] is what {taken[domain]} already"
        taken.setdefault(domain, f"upstreams[{position}] is")


def _root(urls: Tree) -> str:
    """The root's domain, where what is given for it can be read."""
    every = [urls] if isinstance(urls, str) else urls
    try:
        return root_domain(tuple(url for url in every if isinstance(url, str))) if isinstance(every, list) else ""
    except ValueError:
        return ""
