"""What can be said of a registry that is mirrored, whether it is the root's or has a namespace of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator

from entrepot.config.document import Tree
from entrepot.config.freshness import Freshness
from entrepot.config.globs import Glob
from entrepot.config.hosts import DOCKER_HUB, HostName, Namespace, component_of, domain_of
from entrepot.config.problems import Unfit
from entrepot.config.section import Given, Section, together
from entrepot.config.sizes import Size
from entrepot.config.types import NO_SECRET, AnyPeriod, AnySeconds, FilePath, Name, Period, Secret, Text
from entrepot.config.urls import BaseUrls, HttpProxy

_IDENTITIES = ("username", "exec", "dockerconfig")


def _deadline(seconds: float) -> float:
    if not seconds:
        raise Unfit("must be longer than 0")
    return seconds


def _given(urls: tuple[str, ...]) -> tuple[str, ...]:
    if not urls:
        raise Unfit("must not be empty")
    return urls


def _distinct(urls: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(urls)) < len(urls):
        raise Unfit("holds a URL more than once")
    return urls


RemoteUrls = Annotated[BaseUrls, AfterValidator(_distinct)]
Deadline = Annotated[Period, AfterValidator(_deadline)]


class Exec(Section):
    """A credential helper to ask. `lifetime` is in seconds: None keeps the answer, 0 or less asks every time."""

    command: Name
    lifetime: AnySeconds | None = None


class Upstream(Section):
    """How a registry is reached, and what is taken of it.

    `remoteurl` has every URL that it is asked at, in this order, each without a slash at its end. `allow` and `deny`
    match whole names as the upstream has them; no `allow` allows all.
    """

    remoteurl: RemoteUrls = ()
    username: Text = ""
    password: Secret = NO_SECRET
    exec: Exec | None = None
    dockerconfig: FilePath = ""
    realms: tuple[HostName, ...] = ()
    ca: FilePath = ""
    clientcert: FilePath = ""
    proxyurl: HttpProxy = NO_SECRET
    allow: tuple[Glob, ...] = ()
    deny: tuple[Glob, ...] = ()

    @classmethod
    def contradictions(cls, given: Given) -> Iterator[tuple[str, str]]:
        yield from together(given, "username", "password")
        first, *others = [key for key in _IDENTITIES if given.get(key)] or [""]
        for key in others:
            yield key, f"only one source of credentials may be given, and there is {first} already"
        if _without_tls(given.get("remoteurl")):
            for key in ("ca", "clientcert"):
                if given.get(key):
                    yield key, "has no effect on a remoteurl that begins with http://"


class FurtherUpstream(Upstream):
    """An upstream beside the root's, under a namespace; None is what the section `proxy` says.

    `maxsize` bounds what is kept of it, in bytes; 0 is no bound but that of all together.
    """

    namespace: Namespace
    remoteurl: Annotated[RemoteUrls, AfterValidator(_given)]
    ttl: AnyPeriod | None = None
    maxsize: Size = 0
    freshness: Freshness | None = None
    stale: Period | None = None
    deadline: Deadline | None = None


class Source(Upstream):
    """An upstream with everything that it inherits; the root's has the empty text as `namespace`. Times are in seconds.

    `ttl` is how long unused content stays, 0 or less for ever; `stale` how long a tag is served that the upstream
    cannot confirm, 0 never; `deadline` how long the upstream is waited for where something is cached.
    """

    namespace: str
    ttl: float
    maxsize: int
    freshness: Freshness
    stale: float
    deadline: float

    @property
    def component(self) -> str:
        """What the names of its repositories begin with here, without the slash; empty for the root's."""
        return component_of(self.namespace)

    @property
    def domain(self) -> str:
        """What `?ns=` calls it: its namespace, for the root's the host that images of it begin with."""
        return self.namespace or root_domain(self.remoteurl)


def root_domain(urls: tuple[str, ...]) -> str:
    """`docker.io` where one of `urls` is Docker Hub's, else the host and port of the first; empty without any."""
    domains = [domain_of(url) for url in urls]
    return next((domain for domain in domains if domain == DOCKER_HUB), domains[0] if domains else "")


def _without_tls(urls: Tree) -> bool:
    every = [urls] if isinstance(urls, str) else urls
    return isinstance(every, list) and bool(every) and all(str(url).lower().startswith("http://") for url in every)
