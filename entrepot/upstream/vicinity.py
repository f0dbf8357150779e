"""Where the names lead that an upstream redirects to: a public name may have an address that is nobody's business.

Knows DNS, sends nothing. What a URL tells by itself is judged in `addresses.py`.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Sequence

from pyreqwest.http import Url

from entrepot.oci.errors import UpstreamFailed
from entrepot.telemetry import get_logger
from entrepot.upstream.addresses import Address, Zone, host_name, zone_of, zone_of_ip
from entrepot.upstream.base import NotConnected

Lookup = Callable[[str], Awaitable[Sequence[str]]]
"""The addresses of a name. Raises OSError where it has none."""

_REMEMBERED = 60.0  # seconds; the HTTP client resolves a name again for each connection
_LARGEST = 256  # names: an upstream may make up new ones without end

_log = get_logger(__name__)


async def look_up(host: str) -> Sequence[str]:
    """By the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class Vicinity:
    """Of one upstream. `patience` is how many seconds a name may take; a proxy resolves names itself.

    The HTTP client asks DNS once more when it connects, and a name whose answers change between the two gets by: what
    such a redirect brings is still served only where it is the content that was asked for.
    """

    def __init__(
        self, address: Address, patience: float, is_proxied: Callable[[Url], bool], lookup: Lookup = look_up
    ) -> None:
        self._address = address
        self._patience = patience
        self._is_proxied = is_proxied
        self._lookup = lookup
        self._known: dict[str, tuple[frozenset[Zone], float]] = {}

    async def check(self, url: Url) -> None:
        """Raises UpstreamFailed where a host is nearer than the upstream, NotConnected where it has no address."""
        if host_name(url) == host_name(self._address.url) or self._is_proxied(url):
            return
        near = await self._zones(url) - {Zone.PUBLIC}
        if near and not near <= await self._zones(self._address.url) - {Zone.METADATA}:
            _log.warning("upstream_redirect_refused", upstream=self._address.host, reason=f"{host_name(url)} is near")
            raise UpstreamFailed("the upstream redirects to where it may not")

    async def _zones(self, url: Url) -> frozenset[Zone]:
        """How near the addresses of a host are; an address is no name, and stands for itself."""
        host, now = host_name(url), time.monotonic()
        zones, until = self._known.get(host, (frozenset[Zone](), 0.0))
        if now < until:
            return zones
        try:
            async with asyncio.timeout(self._patience):
                zones = frozenset([zone_of(url), *map(zone_of_ip, await self._lookup(host))])
        except (OSError, UnicodeError):
            raise NotConnected("a name that the upstream redirects to can not be resolved") from None
        if len(self._known) >= _LARGEST:
            self._known.clear()
        self._known[host] = (zones, now + _REMEMBERED)
        return zones
