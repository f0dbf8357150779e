"""Where to listen or connect: `host:port` as Go writes it, or the path of a unix socket."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, NamedTuple

from pydantic import BeforeValidator

from entrepot.config.problems import Unfit
from entrepot.config.types import as_text

_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]{0,251}[A-Za-z0-9_.])?")
_PORT = re.compile(r"[0-9]{1,5}")
_LONGEST = 300
_LONGEST_LABEL = 63  # RFC 1035 §2.3.4; longer ones are an error of the resolver's, not an unknown host
_LONGEST_SOCKET_PATH = 107  # bytes, sun_path of unix(7) without its NUL


class Tcp(NamedTuple):
    """A TCP endpoint. The empty host means every interface, IPv4 and IPv6; port 0 means any free one."""

    host: str
    port: int


class Unix(NamedTuple):
    """A unix socket's path."""

    path: str


def parse_tcp(text: str) -> Tcp:
    """`host:port`, `:port`, `[IPv6]:port`. Raises Unfit; the empty text is any free port on every interface."""
    if not text:
        return Tcp("", 0)
    host, colon, port = text.rpartition(":")
    if len(text) > _LONGEST or not colon:
        raise Unfit(f"{text[:64]!r} is not host:port")
    if not _PORT.fullmatch(port) or int(port) > 65535:
        raise Unfit(f"{port[:64]!r} is not a port number from 0 to 65535")
    return Tcp(_parse_host(host), int(port))


def parse_unix(text: str) -> Unix:
    """Raises Unfit unless `text` can be the path of a socket."""
    if not text or "\0" in text or len(text.encode()) > _LONGEST_SOCKET_PATH:
        raise Unfit(f"a unix socket needs a path of 1 to {_LONGEST_SOCKET_PATH} bytes")
    return Unix(text)


def _parse_host(host: str) -> str:
    if host.startswith("[") and host.endswith("]"):
        try:
            ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            raise Unfit(f"{host[:64]!r} is not an IPv6 address in brackets") from None
        return host[1:-1]
    if ":" in host:
        raise Unfit("an IPv6 address needs brackets, as in [::1]:5000")
    if host and not _HOST.fullmatch(host):
        raise Unfit(f"{host[:64]!r} is not a host name or address")
    return host


def _peer(value: object) -> str:
    text = as_text(value)
    if text:
        host, port = parse_tcp(text)
        if not host or not port:
            raise Unfit("needs a host and a port to connect to, as in example.org:25")
        if any(not 1 <= len(label) <= _LONGEST_LABEL for label in host.removesuffix(".").split(".")):
            raise Unfit(f"{host[:64]!r} is not a host name or address")
    return text


def _listener(value: object) -> str:
    text = as_text(value)
    parse_tcp(text)
    return text


Peer = Annotated[str, BeforeValidator(_peer)]
"""A `host:port` to connect to, or the empty text."""

Listener = Annotated[str, BeforeValidator(_listener)]
"""A `host:port` to listen on, as `parse_tcp` reads it."""
