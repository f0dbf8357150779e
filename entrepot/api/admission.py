"""Who may come in: what a request needs leave for, by Distribution's rules, and who is asked for it."""

from __future__ import annotations

from entrepot.api.message import Request
from entrepot.api.routes import Kind, Target
from entrepot.auth.base import ANY, REGISTRY, REPOSITORY, Access, Authenticator, Grant, Presented

_PULL, _PUSH, _DELETE = "pull", "push", "delete"
_ACTIONS = {
    "GET": (_PULL,),
    "HEAD": (_PULL,),
    "POST": (_PULL, _PUSH),
    "PUT": (_PULL, _PUSH),
    "PATCH": (_PULL, _PUSH),
    "DELETE": (_DELETE,),
}
_SCHEMES = frozenset({"http", "https"})


class Admission:
    """Stands before every route: nobody gets to any work without what his request needs."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    def knows(self, request: Request, target: Target) -> bool:
        """Whether the request may pass, as far as that is known without waiting; then it has its grant.

        May be called in any thread.
        """
        grant = self._authenticator.known(_presented(request))
        if grant is None or not all(map(grant.allows, wanted(request, target))):
            return False
        request.grant = grant
        return True

    async def admit(self, request: Request, target: Target | None) -> Grant:
        """What the client is granted, which is all that the request needs. None stands for what is not told to exist.

        Raises as the authenticator does.
        """
        return await self._authenticator.authorize(_presented(request), wanted(request, target) if target else [])


def wanted(request: Request, target: Target) -> list[Access]:
    """What the request needs, whether or not its method is one that the route has."""
    if target.kind is Kind.CATALOG:
        return [Access(REGISTRY, "catalog", ANY)]
    if not target.name:
        return []
    access = [Access(REPOSITORY, target.name, action) for action in _ACTIONS.get(request.method, ())]
    # Whoever names a source must be allowed to read it, also where nothing comes of it.
    sources = [value for name, value in request.parameters() if name == "from" and value]
    return [*access, *(Access(REPOSITORY, source, _PULL) for source in sources)]


def _presented(request: Request) -> Presented:
    headers = request.headers
    forwarded = headers.get("x-forwarded-proto")
    scheme = forwarded if forwarded in _SCHEMES else "https"
    # Without the port, which changes with each connection.
    address = request.client.rpartition(":")[0]
    return Presented(headers.get("authorization"), scheme, request.authority, address)
