"""Looks at the files that the section `proxy` names before anything is started with them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from entrepot.config.proxy import Proxy
from entrepot.config.upstreams import Upstream

_KEYS = ("dockerconfig", "ca", "clientcert")


def unreadable_files(proxy: Proxy) -> Iterator[tuple[str, str]]:
    """The dotted path of each setting whose file cannot be read, and why; what the file holds is not looked at."""
    yield from _unreadable("proxy", proxy)
    for position, upstream in enumerate(proxy.upstreams):
        yield from _unreadable(f"proxy.upstreams[{position}]", upstream)


def _unreadable(above: str, upstream: Upstream) -> Iterator[tuple[str, str]]:
    for key in _KEYS:
        path: str = getattr(upstream, key)
        reason = _reason(path) if path else None
        if reason:
            yield f"{above}.{key}", f"cannot read {path}: {reason}"


def _reason(path: str) -> str | None:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would keep whoever opens it waiting
            return "not a file"
        with open(path, "rb") as file:
            file.read(1)
    except OSError as error:
        return error.strerror
    return None
