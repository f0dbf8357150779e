"""Events as listeners of Distribution know them: JSON, one to an envelope.

Names and order of the fields are those of its notifications/event.go; what is empty is left out, as there.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from entrepot.listener import Asked, Occurrence
from entrepot.oci.descriptor import Descriptor

MEDIA_TYPE = "application/vnd.docker.distribution.events.v1+json"
"""Of an envelope. Distribution 3 writes v2 for the same content; listeners that look at it know this one."""


_MOST_REFERENCES = 1000
"""No image has so many; a manifest of four megabytes may have tens of thousands."""


class Event(NamedTuple):
    """`body` is the envelope that is sent; the rest is what endpoints choose by."""

    action: str
    media_type: str
    body: str


@dataclass(frozen=True, slots=True)
class Source:
    """Who tells: host name with port, and an id of this run of the server."""

    address: str
    instance: str


def event_of(occurrence: Occurrence, asked: Asked, source: Source, *, with_references: bool, now: int) -> Event:
    """The event that tells of an occurrence at `now`, in nanoseconds since the epoch."""
    event = {
        "id": str(uuid.uuid4()),
        "timestamp": rfc3339(now),
        "action": occurrence.action,
        "target": _target(occurrence, with_references=with_references),
        "request": _present(
            id=asked.id, addr=asked.client, host=asked.host, method=asked.method, useragent=asked.agent
        ),
        "actor": _present(name=asked.user),
        "source": {"addr": source.address, "instanceID": source.instance},
    }
    return Event(occurrence.action, occurrence.media_type, json.dumps({"events": [event]}, indent=3))


def rfc3339(nanoseconds: int) -> str:
    """Local time, as Go writes it."""
    seconds, fraction = divmod(nanoseconds, 10**9)
    time = datetime.fromtimestamp(seconds, UTC).astimezone()
    zone = time.strftime("%z")
    return f"{time:%Y-%m-%dT%H:%M:%S}.{fraction:09}{'Z' if zone == '+0000' else f'{zone[:3]}:{zone[3:]}'}"


def _target(occurrence: Occurrence, *, with_references: bool) -> dict[str, Any]:
    references = [_described(one) for one in occurrence.references[:_MOST_REFERENCES]] if with_references else []
    return _present(
        mediaType=occurrence.media_type,
        size=occurrence.size,
        digest=occurrence.digest,
        length=occurrence.size,
        repository=occurrence.name,
        fromRepository=occurrence.source,
        url=occurrence.url,
        tag=occurrence.tag,
        references=references,
    )


def _described(descriptor: Descriptor) -> dict[str, Any]:
    return {"mediaType": descriptor.media_type, "size": descriptor.size, "digest": descriptor.digest}


def _present(**members: object) -> dict[str, Any]:
    return {key: value for key, value in members.items() if value}
