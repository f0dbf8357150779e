"""The one table of the v2 API: every kind of target, its methods, what each needs leave for, and who answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from entrepot.api.blobs import BlobHandlers
from entrepot.api.listings import JSON, ListingHandlers, PageLimits
from entrepot.api.manifests import ManifestHandlers
from entrepot.api.message import Request, Response, content_response
from entrepot.api.provenance import reading
from entrepot.api.routes import Action, Endpoint, Kind, Routes, Target
from entrepot.api.state import StateSigner
from entrepot.api.uploads import UploadHandlers
from entrepot.api.urls import Urls
from entrepot.oci.digest import Digest
from entrepot.registry import Registry, Repository


class ForManifests(Protocol):
    """Handlers of manifests."""

    async def get(self, request: Request, target: Target, repository: Repository) -> Response: ...
    async def put(self, request: Request, target: Target) -> Response: ...
    async def delete(self, request: Request, target: Target) -> Response: ...


Around = Callable[[ManifestHandlers], ForManifests]


async def ping(request: Request, target: Target) -> Response:
    """The version check that every client begins with."""
    return content_response(200, JSON, b"{}")


def build_routes(
    registry: Registry,
    urls: Urls,
    signer: StateSigner,
    limits: PageLimits,
    url_of: Callable[[Digest], str] | None = None,
    *,
    around: Around | None = None,
) -> Routes:
    """The whole API over one registry; `url_of` as BlobHandlers have it, `around` adds to manifests."""
    plain = ManifestHandlers(registry, urls)
    manifests: ForManifests = plain if around is None else around(plain)
    blobs = BlobHandlers(registry, url_of)
    uploads = UploadHandlers(registry, urls, signer)
    listings = ListingHandlers(registry, urls, limits)
    pull, push, delete = Action.PULL, Action.PUSH, Action.DELETE
    return {
        Kind.BASE: _readable(Endpoint(Action.PING, ping)),
        Kind.CATALOG: _readable(Endpoint(Action.CATALOG, listings.catalog)),
        Kind.TAGS: _readable(Endpoint(pull, reading(registry, listings.tags))),
        Kind.REFERRERS: _readable(Endpoint(pull, reading(registry, listings.referrers))),
        Kind.MANIFEST: {
            **_readable(Endpoint(pull, reading(registry, manifests.get))),
            "PUT": Endpoint(push, manifests.put),
            "DELETE": Endpoint(delete, manifests.delete),
        },
        Kind.BLOB: {
            "GET": Endpoint(pull, reading(registry, blobs.get)),
            "HEAD": Endpoint(pull, reading(registry, blobs.head)),
            "DELETE": Endpoint(delete, blobs.delete),
        },
        Kind.UPLOADS: {"POST": Endpoint(push, uploads.start)},
        Kind.UPLOAD: {
            **_readable(Endpoint(push, uploads.status)),
            "PATCH": Endpoint(push, uploads.append),
            "PUT": Endpoint(push, uploads.commit),
            "DELETE": Endpoint(push, uploads.cancel),
        },
    }


def _readable(endpoint: Endpoint) -> dict[str, Endpoint]:
    return {"GET": endpoint, "HEAD": endpoint}
