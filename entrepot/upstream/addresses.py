"""Where an upstream is, and which other places may be asked on its word. Pure: names and numbers, no DNS, no I/O.

One parser reads every URL, the HTTP client's own, so that what is checked here is what is connected to: it has turned
`0x7f.1`, `2130706433` and full-width digits into plain addresses before anything is compared.
"""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from pyreqwest.http import Url

_LONGEST_URL = 8192
_SCHEMES = frozenset({"http", "https"})
_METADATA = frozenset({"169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254"})
_METADATA_NAMES = frozenset({"metadata", "metadata.google.internal", "instance-data", "instance-data.ec2.internal"})
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")  # NAT64: an IPv4 address in the last four bytes (RFC 6052)


class Zone(enum.Enum):
    """How near a host is, as far as its name tells; a name that needs DNS counts as public."""

    PUBLIC = "public"
    PRIVATE = "private"
    LINK_LOCAL = "link-local"
    LOOPBACK = "loopback"
    METADATA = "metadata"


class NotAllowed(ValueError):
    """A URL that the upstream named and that must not be asked; the text says why and holds no part of a query."""


@dataclass(frozen=True, slots=True)
class Address:
    """The root of an upstream's API, `/v2/` not included."""

    url: Url

    @classmethod
    def parse(cls, remoteurl: str) -> Self:
        """Raises ValueError with a reason fit for the operator."""
        url = _parse(remoteurl)
        if url.scheme not in _SCHEMES or not url.host_str:
            raise ValueError("must be an http or https URL with a host")
        if _has_userinfo(url):
            raise ValueError("must hold no user name; use username and password")
        if url.query_string is not None or url.fragment is not None:
            raise ValueError("must hold no query and no fragment")
        return cls(url.with_path(url.path.rstrip("/")))

    @property
    def host(self) -> str:
        """The name, with the port where it is not the scheme's own: what credentials are bound to."""
        return self.url.authority

    @property
    def origin(self) -> str:
        return self.url.origin_ascii

    def endpoint(self, path: str, query: Mapping[str, str] | None = None) -> Url:
        """The URL of `path`, which begins with a slash and needs no escaping."""
        url = self.url.with_path(self.url.path.rstrip("/") + path)
        return url.with_query(query) if query else url


def join(base: Url, reference: str) -> Url:
    """What a Location or Link that came with an answer from `base` points at.

    Raises NotAllowed unless it is http or https without userinfo; a fragment is dropped.
    """
    url = _parse(reference, base)
    if url.scheme not in _SCHEMES or not url.host_str:
        raise NotAllowed("neither http nor https")
    if _has_userinfo(url):
        raise NotAllowed("holds a user name")
    return url.with_fragment(None)


def _has_userinfo(url: Url) -> bool:
    return bool(url.username) or url.password is not None


def _parse(text: str, base: Url | None = None) -> Url:
    if len(text) > _LONGEST_URL:
        raise NotAllowed("too long for a URL")
    if not (text.isascii() and text.isprintable()):
        raise NotAllowed("holds characters that no URL has")
    try:
        return Url(text) if base is None else base.join(text)
    except ValueError as error:
        raise NotAllowed(f"no URL: {error}") from None


def host_name(url: Url) -> str:
    """The host alone, as it is compared: no brackets, no final dot."""
    return (url.host_str or "").strip("[]").rstrip(".")


def is_near(url: Url, address: Address) -> bool:
    """Whether `url` may be reached on behalf of `address`: in public, or no nearer to us than the upstream itself.

    Addresses of cloud metadata services are never reached, unless the upstream itself is that very host.
    """
    if host_name(url) == host_name(address.url):
        return True
    zone = zone_of(url)
    return zone is Zone.PUBLIC or (zone is not Zone.METADATA and zone is zone_of(address.url))


def zone_of(url: Url) -> Zone:
    """How near the host of `url` is."""
    host = host_name(url)
    if host in _METADATA_NAMES:
        return Zone.METADATA
    if host == "localhost" or host.endswith(".localhost"):
        return Zone.LOOPBACK
    try:
        return zone_of_ip(host)
    except ValueError:
        return Zone.PUBLIC


def zone_of_ip(text: str) -> Zone:
    """How near an address is. Raises ValueError where it is none."""
    return _zone(_plain(ipaddress.ip_address(text)))


def _plain(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _TRANSLATED:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


def _zone(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> Zone:
    if str(ip) in _METADATA:
        return Zone.METADATA
    if ip.is_loopback or ip.is_unspecified:
        return Zone.LOOPBACK
    if ip.is_link_local:
        return Zone.LINK_LOCAL
    return Zone.PUBLIC if ip.is_global and not ip.is_multicast else Zone.PRIVATE
