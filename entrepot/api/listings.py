"""Lists over HTTP: the catalog, a repository's tags, and the referrers of a manifest, in pages."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from entrepot.api.message import Header, Request, Response, content_response
from entrepot.api.routes import Target
from entrepot.api.urls import Urls
from entrepot.oci.descriptor import OCI_INDEX
from entrepot.oci.digest import Digest
from entrepot.oci.errors import PaginationNumberInvalid
from entrepot.registry import Registry, Repository
from entrepot.wire.links import format_next

JSON = "application/json"

_COUNT = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class PageLimits:
    """Most entries of a page: `catalog.maxentries`, `tags.maxtags`, and of referrers."""

    catalog: int = 1000
    tags: int = 1000
    referrers: int = 1000


class ListingHandlers:
    _CATALOG_DEFAULT = 100

    def __init__(self, registry: Registry, urls: Urls, limits: PageLimits) -> None:
        self._registry = registry
        self._urls = urls
        self._limits = limits

    async def catalog(self, request: Request, target: Target) -> Response:
        asked = _count(request)
        if asked is not None and asked > self._limits.catalog:
            raise PaginationNumberInvalid({"n": asked})
        limit = min(self._CATALOG_DEFAULT, self._limits.catalog) if asked is None else asked
        page = await self._registry.catalog(request.parameter("last") or "", limit)
        link = self._next("/v2/_catalog", {"n": str(limit), "last": page.items[-1]}) if page.more and limit else []
        return content_response(200, JSON, _encode({"repositories": list(page.items)}), link)

    async def tags(self, request: Request, target: Target, repository: Repository) -> Response:
        asked = _count(request)
        limit = None if asked is None else min(asked, self._limits.tags)
        page = await repository.tags(request.parameter("last") or "", limit)
        link: list[Header] = []
        if page.more and limit:
            link = self._next(f"/v2/{target.name}/tags/list", {"n": str(limit), "last": page.items[-1]})
        return content_response(200, JSON, _encode_tags(target.asked or target.name, page.items), link)

    async def referrers(self, request: Request, target: Target, repository: Repository) -> Response:
        subject = Digest.parse(target.argument)
        artifact_type = request.parameter("artifactType") or None
        asked = _count(request)
        limit = min(asked or self._limits.referrers, self._limits.referrers)
        page = await repository.referrers(subject, artifact_type, request.parameter("last") or "", limit)
        headers: list[Header] = [("oci-filters-applied", "artifactType")] if artifact_type else []
        if page.more:
            query = {"n": str(limit), "last": str(page.items[-1].digest)}
            filtered = {"artifactType": artifact_type} if artifact_type else {}
            headers += self._next(f"/v2/{target.name}/referrers/{subject}", query | filtered)
        manifests = [descriptor.to_json() for descriptor in page.items]
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}
        return content_response(200, OCI_INDEX, _encode(index), headers)

    def _next(self, path: str, query: dict[str, str]) -> list[Header]:
        return [("link", format_next(self._urls.path(path), query))]


def _encode(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _encode_tags(name: str, tags: Sequence[str]) -> bytes:
    # No tag has a character that JSON escapes. For tens of thousands the library takes longer than all the rest.
    quoted = '","'.join(tags)
    text = f'"{quoted}"' if quoted else ""
    return f'{{"name":{json.dumps(name)},"tags":[{text}]}}\n'.encode()


def _count(request: Request) -> int | None:
    text = request.parameter("n")
    if text is None or text == "":
        return None
    if _COUNT.fullmatch(text) is None:
        raise PaginationNumberInvalid({"n": text[:32]})
    return int(text)
