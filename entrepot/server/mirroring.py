"""From the section `proxy` to a mirror: its upstreams, the rules for each, and what they share."""

from __future__ import annotations

from collections.abc import Callable

from entrepot.config.proxy import Proxy
from entrepot.config.upstreams import Source as ConfiguredSource
from entrepot.driver import LocalPaths
from entrepot.index.ledger import SqliteLedger
from entrepot.mirror.caching import CachingRegistry
from entrepot.mirror.freshness import Freshness, Rule
from entrepot.mirror.hits import MirrorHits
from entrepot.mirror.namespaces import DOCKER_HUB, Namespaces, Source
from entrepot.oci.names import RepositoryName
from entrepot.registry import Hits, Outcome
from entrepot.server.served import Served
from entrepot.storage.cache import LocalCache
from entrepot.storage.local import LocalRegistry
from entrepot.telemetry import Meter
from entrepot.upstream.base import CredentialSource, Upstream
from entrepot.upstream.client import OciUpstream
from entrepot.upstream.credentials import StaticCredentials
from entrepot.upstream.docker_config import DockerConfigCredentials
from entrepot.upstream.failover import Failover
from entrepot.upstream.helper_credentials import HelperCredentials

INDEX = "/entrepot/index.db"
"""The driver's path of the index: beside what Distribution knows of, on the same disk."""


def build_mirror(proxy: Proxy, registry: LocalRegistry, local: LocalPaths, hits: Hits | None, meter: Meter) -> Served:
    """A mirror that keeps its content in `registry`, beside the repositories that live there."""
    ledger = SqliteLedger(local.local_path(INDEX), namespace_names(proxy))
    namespaces = build_namespaces(proxy, meter)
    mirror = CachingRegistry(
        LocalCache(registry, local), namespaces, registry, ledger, meter, longest=proxy.cachewritetimeout
    )
    known = None if hits is None else MirrorHits(hits, mirror)
    return Served(mirror, known, Outcome.HIT, namespaces, [ledger.run])


def build_namespaces(proxy: Proxy, meter: Meter) -> Namespaces:
    """All sources of a mirror. Nothing is connected before it is used."""
    return Namespaces([_source(source, meter) for source in proxy.sources], local_names(proxy))


def namespace_names(proxy: Proxy) -> Callable[[RepositoryName], str]:
    """Which upstream's directory a repository is in; the empty text is the root's."""
    directories = frozenset(source.component for source in proxy.sources)

    def namespace_of(name: RepositoryName) -> str:
        first, _, rest = name.partition("/")
        return first if rest and first in directories else ""

    return namespace_of


def local_names(proxy: Proxy) -> Callable[[RepositoryName], bool]:
    """Which repositories live here, and are never fetched."""
    patterns = proxy.local
    return lambda name: any(pattern.fullmatch(name) for pattern in patterns)


def _source(source: ConfiguredSource, meter: Meter) -> Source:
    rules = [Rule(rule.tags, rule.period) for rule in source.freshness.rules]
    return Source(
        label=source.domain,
        upstream=build_upstream(source, meter),
        namespaces=DOCKER_HUB if source.domain in DOCKER_HUB else frozenset({source.domain}),
        directory=source.component,
        freshness=Freshness(source.freshness.default, rules, source.stale, source.deadline),
        allow=source.allow,
        deny=source.deny,
    )


def build_upstream(source: ConfiguredSource, meter: Meter) -> Upstream:
    """One for each URL, asked where those before it can not answer. Raises ValueError, fit for the operator."""
    upstreams = [
        OciUpstream(
            url,
            _credentials(source, url),
            realm_hosts=source.realms,
            meter=meter,
            label=source.domain,
            ca=source.ca,
            clientcert=source.clientcert,
            proxyurl=source.proxyurl.get_secret_value(),
        )
        for url in source.remoteurl
    ]
    return Failover(upstreams) if len(upstreams) > 1 else upstreams[0]


def _credentials(source: ConfiguredSource, url: str) -> CredentialSource | None:
    if source.exec is not None:
        return HelperCredentials(url, source.exec.command, source.exec.lifetime)
    if source.dockerconfig:
        return DockerConfigCredentials(url, source.dockerconfig)
    if source.username:
        return StaticCredentials(url, source.username, source.password.get_secret_value())
    return None
