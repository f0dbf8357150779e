"""The section `proxy`: the registry that this one is a pull-through cache of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator

from entrepot.config.section import Given, Section, together
from entrepot.config.types import NO_SECRET, AnySeconds, Name, Secret, Text, longer_than_zero_or
from entrepot.config.urls import BaseUrl


class Exec(Section):
    """A credential helper to ask. `lifetime` is in seconds: None keeps the answer, 0 asks every time."""

    command: Name
    lifetime: AnySeconds | None = None


class Proxy(Section):
    """A mirror when `remoteurl`, which ends without a slash, is given. A `ttl` of 0 or less seconds means for ever."""

    remoteurl: Annotated[BaseUrl, AfterValidator(lambda url: url.rstrip("/"))] = ""
    username: Text = ""
    password: Secret = NO_SECRET
    ttl: AnySeconds = 7 * 24 * 3600.0
    exec: Exec | None = None
    cachewritetimeout: Annotated[AnySeconds, longer_than_zero_or(300.0)] = 300.0

    @classmethod
    def contradictions(cls, given: Given) -> Iterator[tuple[str, str]]:
        if cls.used(given) and not given.get("remoteurl"):
            yield "remoteurl", "required where another key of proxy is given"
        yield from together(given, "username", "password")
        if given.get("exec") and (given.get("username") or given.get("password")):
            yield "exec", "give either a helper or a username and password"
