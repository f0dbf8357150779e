"""Hosts as settings name them, and the domain that the images of a registry begin with."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator

from entrepot.config.problems import Unfit
from entrepot.config.types import as_text

DOCKER_HUB = "docker.io"
_HUB_HOSTS = frozenset({DOCKER_HUB, "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"})
_PORTS = {"http": 80, "https": 443}

_LONGEST_NAMESPACE = 128  # it is part of every repository's name, which has 255 characters at most
_LONGEST_HOST = 253
_LABEL = "[a-z0-9]+(?:-+[a-z0-9]+)*"
_NAMESPACE = re.compile(rf"{_LABEL}(?:\.{_LABEL})*(?::([1-9][0-9]{{0,4}}))?")
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


def parse_namespace(text: str) -> str:
    """Raises Unfit unless `text` is a host, perhaps with a port, that `component_of` can make part of a name."""
    namespace = _NAMESPACE.fullmatch(text) if len(text) <= _LONGEST_NAMESPACE else None
    if namespace is None or int(namespace[1] or 0) > 65535:
        raise Unfit(f"{text[:64]!r} is not a host in lower case, perhaps with a port, as in ghcr.io or registry:5000")
    return text


def component_of(namespace: str) -> str:
    """The first component of the repositories of `namespace`, as they are named here: a colon becomes `_`."""
    return namespace.replace(":", "_")


def domain_of(url: str) -> str:
    """What images of the registry at `url` begin with, and what containerd calls it in `?ns=`: its host and port.

    The port is left out where it is the scheme's own. Docker Hub is `docker.io` under each of its names.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    bracketed = f"[{host}]" if ":" in host else host.removesuffix(".")
    domain = bracketed if port in (None, _PORTS.get(parts.scheme)) else f"{bracketed}:{port}"
    return as_domain(domain)


def as_domain(namespace: str) -> str:
    """`docker.io` for every name of Docker Hub, any other namespace as it is."""
    return DOCKER_HUB if namespace in _HUB_HOSTS else namespace


def _host(value: object) -> str:
    text = as_text(value).lower().removesuffix(".")
    if len(text) > _LONGEST_HOST or not _HOST.fullmatch(text):
        raise Unfit(f"{text[:64]!r} is not the name of a host, without scheme, port and path")
    return text


Namespace = Annotated[str, BeforeValidator(lambda value: parse_namespace(as_text(value)))]

HostName = Annotated[str, BeforeValidator(_host)]
"""A host in lower case, without its final dot."""
