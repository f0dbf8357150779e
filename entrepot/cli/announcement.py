"""What an operator is told once connections are taken: where, from which data, and how clients find the mirror."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

from entrepot.config.drivers import Filesystem
from entrepot.config.root import Configuration
from entrepot.config.upstreams import Source
from entrepot.server.listener import Address

_WIDTH = 15


def announcement(configuration: Configuration, address: Address) -> list[str]:
    """The lines; those for clients are what goes into their configuration files, as it stands."""
    storage = configuration.storage.driver
    sources = configuration.proxy.sources
    directory = os.path.abspath(storage.rootdirectory) if isinstance(storage, Filesystem) else "memory"
    lines = [*_titled("listening on", [_url(configuration, address)]), *_titled("data in", [directory])]
    if sources:
        lines += _titled("mirror of", map(_origin, sources))
        # Clients can name neither a socket nor a path before /v2/.
        if not address.path and not configuration.http.prefix:
            lines += _for_clients(_url(configuration, address), sources)
    return lines


def _titled(title: str, lines: Iterator[str] | list[str]) -> Iterator[str]:
    for line in lines:
        yield f"{title:{_WIDTH}}{line}"
        title = ""


def _origin(source: Source) -> str:
    urls = ", ".join(source.remoteurl)
    return f"{urls} as {source.component}/" if source.namespace else urls


def _for_clients(url: str, sources: tuple[Source, ...]) -> Iterator[str]:
    if not sources[0].namespace:
        yield from _titled("daemon.json", [json.dumps({"registry-mirrors": [url]})])
    yield from _titled("hosts.toml", _hosts_toml(url))
    yield from _titled("registries", _registries_conf(url, sources))


def _hosts_toml(url: str) -> list[str]:
    """For containerd, which asks for any registry with `?ns=`."""
    return [
        "# /etc/containerd/certs.d/_default/hosts.toml",
        f"[host.{json.dumps(url)}]",
        'capabilities = ["pull", "resolve"]',
    ]


def _registries_conf(url: str, sources: tuple[Source, ...]) -> Iterator[str]:
    """For podman, skopeo and the like, which ask for each registry by path."""
    scheme, _, host = url.partition("://")
    insecure = ", insecure = true" if scheme == "http" else ""
    yield "# /etc/containers/registries.conf.d/mirror.conf"
    yield "registry = ["
    for source in sources:
        mirror = json.dumps(f"{host}/{source.component}".rstrip("/"))
        yield f"  {{location = {json.dumps(source.domain)}, mirror = [{{location = {mirror}{insecure}}}]}},"
    yield "]"


def _url(configuration: Configuration, address: Address) -> str:
    if address.path:
        return f"unix:{address.path}"
    scheme = "https" if configuration.http.tls.certificate else "http"
    host = "localhost" if address.host in ("::", "0.0.0.0") else address.host  # noqa: S104  # compared, not bound
    bracketed = f"[{host.replace('%', '%25')}]" if ":" in host else host  # RFC 6874
    return f"{scheme}://{bracketed}:{address.port}"
