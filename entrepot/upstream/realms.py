"""Which token services may see an upstream's credentials. Pure: decides by name, asks nobody."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from pyreqwest.http import Url

from entrepot.oci.errors import UpstreamFailed
from entrepot.telemetry import get_logger
from entrepot.upstream.addresses import Address, NotAllowed, Zone, host_name, join, zone_of

_ABSOLUTE = re.compile(r"https?://", re.IGNORECASE)

REALM_HOSTS: Mapping[str, frozenset[str]] = {
    "registry-1.docker.io": frozenset({"auth.docker.io"}),
    "index.docker.io": frozenset({"auth.docker.io"}),
    "registry.gitlab.com": frozenset({"gitlab.com"}),
    "nvcr.io": frozenset({"authn.nvidia.com"}),
    "docker.elastic.co": frozenset({"docker-auth.elastic.co"}),
}
"""Upstreams whose token service has another name, and the names that are trusted for them."""

_log = get_logger(__name__)


def trusted_realm(realm: str, address: Address, realm_hosts: Collection[str] = ()) -> Url:
    """The URL of a token service that may see the upstream's credentials (CVE-2026-33540, CVE-2026-48978).

    It must use https unless the upstream itself does not, name no user, and have the upstream's own host (an address,
    or localhost, with the very port) or one that is listed for it: in REALM_HOSTS or `realm_hosts`. Raises
    UpstreamFailed.
    """
    try:
        url = join(address.url, realm)
    except NotAllowed as refusal:
        raise _refused(address, str(refusal)) from None
    if _ABSOLUTE.match(realm) is None:
        raise _refused(address, "no absolute URL")
    if url.scheme != "https" and address.url.scheme == "https":
        raise _refused(address, "not https")
    if not _is_known(url, address, realm_hosts):
        raise _refused(address, f"{host_name(url)} is not trusted for this upstream")
    return url


def _refused(address: Address, reason: str) -> UpstreamFailed:
    _log.warning("upstream_realm_refused", upstream=address.host, reason=reason)
    return UpstreamFailed("the upstream names a token service that is not trusted")


def _is_known(url: Url, address: Address, realm_hosts: Collection[str]) -> bool:
    host, own = host_name(url), host_name(address.url)
    if host == own:
        return zone_of(url) is Zone.PUBLIC or _port(url) == _port(address.url)
    return zone_of(url) is Zone.PUBLIC and (host in realm_hosts or host in REALM_HOSTS.get(own, ()))


def _port(url: Url) -> int | None:
    return url.port_or_known_default
