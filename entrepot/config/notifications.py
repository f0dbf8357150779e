"""The section `notifications`: who is told of what happens."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from entrepot.config.headers import Headers
from entrepot.config.section import Section
from entrepot.config.types import (
    AnySeconds,
    Flag,
    Integer,
    Name,
    Text,
    longer_than_zero_or,
    not_empty,
    one_of,
    positive_or,
)
from entrepot.config.urls import Url


class Events(Section):
    """What an event tells."""

    includereferences: Flag = False


class Ignore(Section):
    """Events that an endpoint does not want."""

    mediatypes: tuple[Text, ...] = ()
    actions: tuple[Annotated[str, one_of("pull", "push", "mount", "delete")], ...] = ()


class Endpoint(Section):
    """One listener; `timeout` and `backoff` are in seconds, `threshold` counts failures in a row."""

    name: Name
    disabled: Flag = False
    url: Annotated[Url, not_empty] = Field(repr=False)
    headers: Headers = Field({}, repr=False)
    timeout: Annotated[AnySeconds, longer_than_zero_or(1.0)] = 1.0
    threshold: Annotated[Integer, positive_or(10)] = 10
    backoff: Annotated[AnySeconds, longer_than_zero_or(1.0)] = 1.0
    ignoredmediatypes: tuple[Text, ...] = ()
    ignore: Ignore = Ignore()


class Notifications(Section):
    """Events and who hears of them."""

    segments = {"events": "EVENTCONFIG"}

    events: Events = Events()
    endpoints: tuple[Endpoint, ...] = ()
