"""One request to an upstream and the head of its answer, as values. Pure: transport.py is what sends them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from pyreqwest.http import Url

from entrepot.upstream.headers import only_line
from entrepot.wire.challenge import Challenge, parse_challenges


@dataclass(frozen=True, slots=True)
class Request:
    """A GET or HEAD, or a POST of `form`. `authorization` belongs to one origin only, and is kept apart."""

    method: str
    url: Url
    headers: tuple[tuple[str, str], ...] = ()
    authorization: str | None = field(default=None, repr=False)
    form: bytes | None = field(default=None, repr=False)

    def authorized(self, authorization: str | None) -> Request:
        """The same request with other credentials, or none."""
        return replace(self, authorization=authorization)

    def moved(self, url: Url) -> Request:
        """The same request to another place; the credentials stay behind when scheme, host or port change."""
        kept = self.authorization if url.origin_ascii == self.url.origin_ascii else None
        return replace(self, url=url, authorization=kept)


@dataclass(frozen=True, slots=True)
class Head:
    """Status and headers of an answer, and the URL that gave it."""

    status: int
    url: Url
    values: Callable[[str], Sequence[str]] = field(repr=False)

    def header(self, name: str) -> str | None:
        """The header's value where it was sent once and is printable; None otherwise."""
        return only_line(self.values(name))

    def lines(self, name: str) -> list[str]:
        """All lines of a header that may be sent more than once, as far as they are printable."""
        return [line for value in self.values(name) if (line := only_line([value])) is not None]

    @property
    def challenges(self) -> tuple[Challenge, ...]:
        return parse_challenges(self.values("WWW-Authenticate"))
