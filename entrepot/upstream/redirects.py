"""Redirects followed by hand, one hop at a time. Pure: decides where a request may go next, sends nothing."""

from __future__ import annotations

from entrepot.oci.errors import UpstreamFailed
from entrepot.telemetry import get_logger
from entrepot.upstream.addresses import Address, NotAllowed, host_name, is_near, join
from entrepot.upstream.message import Head, Request

HOP_LIMIT = 5

_STATUSES = frozenset({301, 302, 303, 307, 308})

_log = get_logger(__name__)


def is_redirect(head: Head) -> bool:
    """Whether the answer sends us elsewhere. 304 and 300 do not: we ask nothing that they could answer."""
    return head.status in _STATUSES


def next_request(request: Request, head: Head, address: Address) -> Request:
    """The request for the next hop: same method, Range and Accept; credentials only within one origin, never restored.

    Raises UpstreamFailed for a target without need to be there, downgraded to http, or nearer to us than the upstream
    itself: private, loopback and link-local addresses and metadata services (CWE-918).
    """
    location = head.header("Location")
    if location is None:
        raise UpstreamFailed("the upstream redirects without a usable Location")
    try:
        url = join(request.url, location)
    except NotAllowed as refusal:
        raise _refused(address, str(refusal)) from None
    if request.url.scheme == "https" and url.scheme != "https":
        raise _refused(address, "from https down to http")
    if not is_near(url, address):
        raise _refused(address, f"{host_name(url)} is nearer to us than the upstream")
    return request.moved(url)


def _refused(address: Address, reason: str) -> UpstreamFailed:
    _log.warning("upstream_redirect_refused", upstream=address.host, reason=reason)
    return UpstreamFailed("the upstream redirects to where it may not")
