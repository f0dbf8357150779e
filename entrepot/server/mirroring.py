"""From the section `proxy` to a mirror: its upstreams, the rules for each, and what they share."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from entrepot.config.proxy import Proxy
from entrepot.config.upstreams import ConfiguredUpstream
from entrepot.mirror.freshness import Freshness, Rule
from entrepot.mirror.namespaces import DOCKER_HUB, Namespaces, Source
from entrepot.oci.names import RepositoryName
from entrepot.telemetry import Meter


def build_namespaces(proxy: Proxy, meter: Meter) -> Namespaces:
    """All sources of a mirror. Nothing is connected before it is used."""
    return Namespaces([build_source(source, meter) for source in proxy.sources], local_names(proxy))


def local_names(proxy: Proxy) -> Callable[[RepositoryName], bool]:
    """Which repositories live here, and are never fetched."""
    patterns: Sequence[re.Pattern[str]] = proxy.local
    return lambda name: any(pattern.fullmatch(name) for pattern in patterns)


def directory_of(namespace: str) -> str:
    """The first component of the names of a further upstream's repositories: a colon cannot stand in one."""
    return namespace.replace(":", "_")


def label_of(source: ConfiguredUpstream) -> str:
    """What logs and metrics call it."""
    if source.namespace:
        return source.namespace
    host = urlsplit(source.remoteurl[0]).netloc.rpartition("@")[2]
    return "docker.io" if host in DOCKER_HUB else host


def build_source(source: ConfiguredUpstream, meter: Meter) -> Source:
    """One upstream and its rules."""
    label = label_of(source)
    rules = [Rule(rule.tags, rule.period) for rule in source.freshness.rules]
    return Source(
        label=label,
        upstream=build_upstream(source, label, meter),
        namespaces=DOCKER_HUB if label in DOCKER_HUB else frozenset({label}),
        directory=directory_of(source.namespace),
        freshness=Freshness(source.freshness.default, rules, source.stale, source.deadline),
        allow=source.allow,
        deny=source.deny,
    )
