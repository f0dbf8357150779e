"""The section `http`: where to listen, and what to say about the way there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator

from entrepot.config.address import Listener, Tcp, Unix, parse_tcp, parse_unix
from entrepot.config.headers import Headers
from entrepot.config.problems import Unfit
from entrepot.config.section import Given, Section, value_at
from entrepot.config.tls import Tls
from entrepot.config.types import NO_SECRET, Flag, Seconds, Secret, Text, as_flag, one_of
from entrepot.config.urls import BaseUrl

_PREFIX = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")
_LONGEST_PREFIX = 1024


def _host(url: str) -> str:
    _, _, rest = url.partition("://")
    if "/" in rest and not rest.endswith("/"):
        raise Unfit("a path in it must end with /")
    return url


def _prefix(path: str) -> str:
    bare = path.rstrip("/")
    if len(path) > _LONGEST_PREFIX or not _PREFIX.fullmatch(bare):
        raise Unfit("needs a path that begins with /, as in /my/registry/")
    return bare


def _metrics_path(path: str) -> str:
    if path and not path.startswith("/"):
        raise Unfit("needs a path that begins with /")
    return path or "/metrics"


class Prometheus(Section):
    """Metrics on the debug listener."""

    enabled: Flag = False
    path: Annotated[Text, AfterValidator(_metrics_path)] = "/metrics"


class Debug(Section):
    """The listener for operators; the empty address is none."""

    addr: Listener = ""
    prometheus: Prometheus = Prometheus()

    @classmethod
    def contradictions(cls, given: Given) -> Iterator[tuple[str, str]]:
        if as_flag(value_at(given, "prometheus", "enabled")) and not given.get("addr"):
            yield "prometheus", "has no effect without addr"


class Http2(Section):
    """HTTP/2 over TLS."""

    disabled: Flag = False


class H2c(Section):
    """HTTP/2 without TLS."""

    enabled: Flag = False


class Http(Section):
    """The listener. `prefix` ends without a slash, a path in `host` with one; `draintimeout` is in seconds."""

    addr: Text = ""
    net: Annotated[Literal["tcp", "unix"], one_of("tcp", "unix", empty="tcp")] = "tcp"
    host: Annotated[BaseUrl, AfterValidator(_host)] = ""
    prefix: Annotated[Text, AfterValidator(_prefix)] = ""
    secret: Secret = NO_SECRET
    relativeurls: Flag = False
    draintimeout: Seconds = 0.0
    tls: Tls = Tls()
    headers: Headers = {}
    debug: Debug = Debug()
    http2: Http2 = Http2()
    h2c: H2c = H2c()

    @property
    def listener(self) -> Tcp | Unix:
        """`addr` taken apart, as `net` says what it is."""
        return parse_unix(self.addr) if self.net == "unix" else parse_tcp(self.addr)

    @classmethod
    def contradictions(cls, given: Given) -> Iterator[tuple[str, str]]:
        address = given.get("addr") or ""
        if isinstance(address, str):
            try:
                (parse_unix if given.get("net") == "unix" else parse_tcp)(address)
            except Unfit as error:
                yield "addr", str(error)
        if given.get("host") and as_flag(given.get("relativeurls")):
            yield "relativeurls", "has no effect beside http.host; give one of them"
