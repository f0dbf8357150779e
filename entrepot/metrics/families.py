"""Every family of series that is counted: its name, what it says, and by what it is told apart. Holds values only."""

from __future__ import annotations

from typing import NamedTuple

REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 60.0, float("inf"))
REQUEST_BYTES = (*(1024.0 * 2**power for power in range(22)), float("inf"))
ACTION_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, float("inf"))
"""Distribution's bounds."""

FILL_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, float("inf"))
"""Upper bounds of the histogram of fills, from a small blob nearby to a large one over a slow line."""

KINDS = ("blob", "manifest")
FROM_CACHE = frozenset({"hit", "stale"})
"""Outcomes that needed nothing of the upstream's content."""


class Family(NamedTuple):
    """`name` without the suffix that the exposition format adds."""

    name: str
    documentation: str
    labels: tuple[str, ...]
    bounds: tuple[float, ...] = ()
    """Upper bounds of a histogram's buckets; the last is infinite."""


RESPONSES = Family(
    "entrepot_proxy_responses",
    "Manifests and blobs that a mirror answered with, by hit, miss, stale or joined.",
    ("type", "outcome"),
)
SERVED_BYTES = Family("entrepot_proxy_served_bytes", "Bytes of content in these answers.", ("type", "outcome"))
FETCHED_BYTES = Family("entrepot_upstream_fetched_bytes", "Bytes of content that came from an upstream.", ("upstream",))
FILLS = Family("entrepot_fill_seconds", "How long fills of the cache took.", ("upstream", "result"), FILL_SECONDS)
EVICTED_ENTRIES = Family("entrepot_evicted_entries", "Entries that left the cache, and why.", ("upstream", "reason"))
EVICTED_BYTES = Family("entrepot_evicted_bytes", "Bytes that were freed by it.", ())
UPSTREAM_RESPONSES = Family(
    "entrepot_upstream_responses",
    "Answers of an upstream by status; code=none where it could not be reached.",
    ("upstream", "code"),
)
LAST_SUCCESS = Family(
    "entrepot_upstream_last_success_timestamp_seconds",
    "When an upstream last gave what was asked, or said that there is no such thing.",
    ("upstream",),
)
RATE_LIMIT = Family(
    "entrepot_upstream_rate_limit_remaining", "What the upstream last said that its rate limit leaves.", ("upstream",)
)
SUSPENDED = Family(
    "entrepot_upstream_suspended", "1 while any worker leaves an upstream alone because it fails.", ("upstream",)
)

NOTIFICATIONS = Family(
    "registry_notifications_events", "Events for an endpoint, and what became of them.", ("type", "endpoint")
)
NOTIFICATION_STATUSES = Family("registry_notifications_status", "Answers of an endpoint.", ("code", "endpoint"))
NOTIFICATIONS_PENDING = Family(
    "registry_notifications_pending_total", "Events that wait for an endpoint.", ("endpoint",)
)
"""A gauge, whatever Distribution's name for it suggests."""

NOTIFICATIONS_LOST = Family("entrepot_notifications_lost", "Events that an endpoint never hears of.", ("reason",))

HTTP_REQUESTS = Family("registry_http_requests", "Requests that were answered.", ("handler", "code", "method"))
HTTP_SECONDS = Family(
    "registry_http_request_duration_seconds",
    "How long answers took, until all of one was handed to the system.",
    ("handler", "method"),
    REQUEST_SECONDS,
)
HTTP_RECEIVED = Family(
    "registry_http_request_size_bytes", "Bytes that requests announced.", ("handler",), REQUEST_BYTES
)
HTTP_SENT = Family("registry_http_response_size_bytes", "Bytes of the answers' bodies.", ("handler",), REQUEST_BYTES)
HTTP_IN_FLIGHT = Family("registry_http_in_flight_requests", "Requests that are being answered.", ("handler",))
STORAGE_SECONDS = Family(
    "registry_storage_action_seconds", "How long the storage driver took.", ("driver", "action"), ACTION_SECONDS
)

REQUESTS = Family("registry_proxy_requests", "Requests to the mirror for content.", ("type",))
HITS = Family("registry_proxy_hits", "Those answered from the cache.", ("type",))
MISSES = Family("registry_proxy_misses", "Those that needed the upstream's content.", ("type",))
PULLED_BYTES = Family("registry_proxy_pulled_bytes", "Bytes pulled from the upstream for a client.", ("type",))
PUSHED_BYTES = Family("registry_proxy_pushed_bytes", "Bytes sent to clients.", ("type",))
