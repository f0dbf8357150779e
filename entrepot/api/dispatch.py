"""From a request to its answer: match, gate, call; and the only place where an error becomes a response."""

from __future__ import annotations

import errno
import uuid
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Protocol

from entrepot.api.admission import Admission
from entrepot.api.hits import HitHandlers
from entrepot.api.listings import JSON
from entrepot.api.message import Header, Request, Response, content_response, empty_response
from entrepot.api.routes import Action, Endpoint, Routes, Target, match
from entrepot.api.standing import Answer
from entrepot.driver import NoSpace
from entrepot.oci.errors import (
    EncodingUnsupported,
    LoopDetected,
    RegistryError,
    StorageFull,
    Unavailable,
    Unsupported,
    UriTooLong,
    encode,
    status_of,
)
from entrepot.registry import Naming
from entrepot.telemetry import RequestFacts, get_logger, request_facts
from entrepot.wire.via import Hop, Looping

log = get_logger(__name__)

_LONGEST_URL = 8192
_LONGEST_TOLD = 512
_TOO_MANY_FILES = (errno.EMFILE, errno.ENFILE)
_READING = ("GET", "HEAD")
_API_VERSION: Header = ("docker-distribution-api-version", "registry/2.0")


class ClientGone(Exception):
    """The client left in the middle of its request; there is nobody to answer."""


class Health(Protocol):
    """What is known of the checks of this node."""

    @property
    def is_failing(self) -> bool:
        """Whether one of them fails. Asked with every request."""


class Dispatcher:
    """Answers requests; never raises anything but ClientGone.

    `allowed` is the one gate for every verb: what a read-only registry, a mirror, or one without `storage.delete` may
    do is decided here, before any work (CVE-2026-41888).
    """

    def __init__(
        self,
        routes: Routes,
        allowed: Collection[Action],
        prefix: str = "",
        headers: Sequence[Header] = (),
        hits: HitHandlers | None = None,
        *,
        naming: Naming | None = None,
        admission: Admission | None = None,
        health: Health | None = None,
        provenance: Sequence[Header] = (),
        hop: Hop | None = None,
    ) -> None:
        """`headers` go on every answer, `provenance` on those that do not tell themselves how they were come by.

        `hop` is who we are to others that are asked for the sake of a request; None where nobody is.
        """
        self._routes = routes
        self._hits = hits if Action.PULL in allowed else None
        self._allowed = frozenset(allowed)
        self._prefix = prefix
        self._naming = naming
        self._admission = admission
        self._health = health
        self._common: tuple[Header, ...] = (_API_VERSION, *headers)
        self._provenance = tuple(provenance)
        self._hop = hop

    def at_once(self, request: Request) -> Answer | None:
        """The answer, where nothing has to be waited for; None: ask `answer`. May be called in any thread."""
        path = request.path
        if self._hits is None or request.method not in _READING or not path.startswith(self._prefix):
            return None
        if len(path) + len(request.query) > _LONGEST_URL:
            return None
        try:
            target = match(path[len(self._prefix) :])
            target = None if target is None else self._locate(request, target)
            if target is None or not (self._admission is None or self._admission.knows(request, target)):
                return None
            return self._hits.answer(request, target, self._common)
        except RegistryError:
            return None

    @property
    def is_open(self) -> bool:
        """Whether everybody gets what he may ask for, whoever he is."""
        return self._admission is None and not self._is_failing

    def admits(self, request: Request) -> bool:
        """Whether the request may pass, as far as that is known without waiting; then it has its grant.

        May be called in any thread.
        """
        if self._admission is None or self._is_failing:
            return not self._is_failing
        try:
            target = match(request.path[len(self._prefix) :])
            return target is not None and self._admission.knows(request, self._locate(request, target))
        except RegistryError:
            return False

    @property
    def _is_failing(self) -> bool:
        return self._health is not None and self._health.is_failing

    def key(self, path: str, query: str, host: str) -> str | None:
        """The same for requests that mean the same thing; None where a query may change the answer."""
        if self._naming is not None:
            if self._naming.serves_host(host):
                path = f"{host} {path}"
            if query.startswith("ns=") and "&" not in query:
                return f"{path}?{query}"
        return None if query else path

    def handler(self, path: str) -> str:
        """What the route of a path is called in figures; empty where there is none. May be called in any thread."""
        try:
            target = match(path[len(self._prefix) :])
        except RegistryError:
            return ""
        return "" if target is None else target.kind.value

    async def answer(self, request: Request) -> Response:
        request.id = str(uuid.uuid4())
        request_facts.set(_facts(request))
        try:
            response = await self._route(request)
        except RegistryError as error:
            response = _refusal(error)
        except NoSpace as error:
            log.error("storage_full", error=str(error))
            response = _refusal(StorageFull())
        except ClientGone:
            raise
        except Exception as error:
            response = _refusal(_failure(error))
        if self._provenance and not any(name == "x-cache" for name, _ in response.headers):
            response.headers.extend(self._provenance)
        response.headers.extend(self._common)
        return response

    async def _route(self, request: Request) -> Response:
        path = request.path
        if len(path) + len(request.query) > _LONGEST_URL:
            raise UriTooLong(f"longer than {_LONGEST_URL} bytes")
        if path == "/livez":
            return content_response(200, "text/plain; charset=utf-8", b"ok\n")
        if self._is_failing:
            # In Distribution's words; what fails is told where operators look, not to the world.
            raise Unavailable("health check failed: please see /debug/health")
        if path == "/readyz":
            return content_response(200, "text/plain; charset=utf-8", b"ok\n")
        if path == "/":
            return empty_response(200, [("cache-control", "no-cache")])
        if not path.startswith(self._prefix):
            return _no_route()
        path = path[len(self._prefix) :]
        target = match(path)
        if target is None:
            return self._elsewhere(path)
        target = await self._admit(request, target)
        self._enter(request)
        return await self._endpoint(request, target).handler(request, target)

    def _enter(self, request: Request) -> None:
        if self._hop is None:
            return
        try:
            self._hop.enter(request.headers.get_all("via"))
        except Looping as error:
            raise LoopDetected(str(error)) from None

    async def _admit(self, request: Request, target: Target) -> Target:
        """What is meant, once the client is admitted."""
        if self._admission is None:
            return self._locate(request, target)
        try:
            located = self._locate(request, target)
        except RegistryError:
            # What there is and what not is told only to who may come in.
            await self._admission.admit(request, None)
            raise
        request.grant = await self._admission.admit(request, located)
        facts = request_facts.get()
        if facts is not None:
            facts.user = request.grant.user
        return located

    def _locate(self, request: Request, target: Target) -> Target:
        if self._naming is None or not target.name:
            return target
        name = self._naming.locate(target.name, request.parameter("ns"), request.authority)
        return target if name == target.name else replace(target, name=name, asked=target.name)

    def _endpoint(self, request: Request, target: Target) -> Endpoint:
        methods = self._routes[target.kind]
        endpoint = methods.get(request.method)
        if endpoint is None or endpoint.action not in self._allowed:
            allow = ", ".join(sorted(method for method, one in methods.items() if one.action in self._allowed))
            raise Unsupported(headers=[("allow", allow)])
        if request.method not in _READING:
            _refuse_encoding(request)
        return endpoint

    def _elsewhere(self, path: str) -> Response:
        # Distribution's strict slashes, for the two forms that people type.
        if path == "/v2" or (path.endswith("/tags/list/") and match(path[:-1]) is not None):
            right = "/v2/" if path == "/v2" else path[:-1]
            return empty_response(301, [("location", self._prefix + right)])
        return _no_route()


def _refuse_encoding(request: Request) -> None:
    for encoding in request.headers.get_all("content-encoding"):
        if encoding.lower() != "identity":
            raise EncodingUnsupported(f"Content-Encoding {encoding[:32]!r}: send the bytes as they are")


def _no_route() -> Response:
    return content_response(404, "text/plain; charset=utf-8", b"404 page not found\n")


def _facts(request: Request) -> RequestFacts:
    return RequestFacts(
        id=request.id,
        method=request.method[:_LONGEST_TOLD],
        host=request.authority[:_LONGEST_TOLD],
        path=request.path[:_LONGEST_TOLD],
        client=request.client,
        agent=(request.headers.get("user-agent") or "")[:_LONGEST_TOLD],
    )


def _failure(error: Exception) -> RegistryError:
    """What a client is told of what nobody has foreseen."""
    if isinstance(error, OSError) and error.errno in _TOO_MANY_FILES:
        # A crowd, not a defect: it passes, and each client's traceback would say no more.
        log.error("too_many_open_files", error=str(error))
        return Unavailable("too many open files", headers=[("retry-after", "1")])
    log.error("request_failed", exc_info=error)
    return RegistryError()


def _refusal(error: RegistryError) -> Response:
    status = status_of(error)
    # What a client has done wrong is in the access log; at this level the reason is told, too.
    tell = log.warning if status >= 500 else log.debug
    tell("request_refused", status=status, error=str(error))
    return content_response(status, JSON, encode(error), error.headers)
