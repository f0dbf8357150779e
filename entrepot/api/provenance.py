"""What an answer says of a cache that it came through: `X-Cache`, and a `Warning` where nobody could confirm it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from entrepot.api.message import Header, Request, Response
from entrepot.api.routes import Handler, Target
from entrepot.oci.errors import RegistryError
from entrepot.registry import Outcome, Registry, Repository

Reader = Callable[[Request, Target, Repository], Awaitable[Response]]
"""A handler that reads one repository."""

_HEADERS: Mapping[Outcome, tuple[Header, ...]] = {
    Outcome.HIT: (("x-cache", "HIT"),),
    Outcome.MISS: (("x-cache", "MISS"),),
    Outcome.JOINED: (("x-cache", "JOINED"),),
    # 110 is what RFC 7234 section 5.5 has for it; 299 is the one that podman and skopeo show.
    Outcome.STALE: (
        ("x-cache", "STALE"),
        ("warning", '110 - "Response is Stale"'),
        ("warning", '299 - "the upstream could not be asked, and this answer may be out of date"'),
    ),
}


def provenance(outcome: Outcome | None) -> tuple[Header, ...]:
    """The headers; none where there is no cache between."""
    return () if outcome is None else _HEADERS[outcome]


def reading(registry: Registry, reader: Reader) -> Handler:
    """The handler that gives `reader` its repository, and tells how the answer, or the refusal, was come by."""

    async def answer(request: Request, target: Target) -> Response:
        repository = registry.reader(target.name)
        try:
            response = await reader(request, target, repository)
        except RegistryError as error:
            raise error.with_headers(provenance(repository.outcome)) from None
        response.headers += provenance(repository.outcome)
        return response

    return answer
