"""Hits over HTTP: the answers that can be given at once, without the event loop, in whatever thread the server asks.

Only the plainest requests: GET and HEAD, without a condition, of a manifest or a blob. All others, and all that goes
wrong, is for the dispatcher's ordinary way.
"""

from __future__ import annotations

from collections.abc import Sequence

from entrepot.api.blobs import blob_response, select, stat_response
from entrepot.api.manifests import manifest_headers
from entrepot.api.message import Header, Request, Response, content_response
from entrepot.api.routes import Kind, Target
from entrepot.oci.descriptor import SCHEMA1
from entrepot.oci.digest import Digest
from entrepot.oci.names import parse_reference
from entrepot.registry import Hit, Hits


class HitHandlers:
    def __init__(self, hits: Hits, headers: Sequence[Header] = ()) -> None:
        """`headers` go on every answer."""
        self._hits = hits
        self._headers = tuple(headers)

    def answer(self, request: Request, target: Target) -> Hit[Response] | None:
        """None where there is more to it. Raises the errors of its parsers."""
        if request.headers.get("if-none-match") is not None:
            return None
        hit = None
        if target.kind is Kind.MANIFEST:
            hit = self._manifest(target)
        elif target.kind is Kind.BLOB:
            hit = self._blob(request, target)
        if hit is not None:
            hit.value.headers += self._headers
        return hit

    def _manifest(self, target: Target) -> Hit[Response] | None:
        hit = self._hits.manifest(target.name, parse_reference(target.argument))
        if hit is None or hit.value.media_type in SCHEMA1:
            return None
        manifest = hit.value
        headers = manifest_headers(manifest.digest)
        return Hit(content_response(200, manifest.media_type, manifest.content, headers), hit.stands)

    def _blob(self, request: Request, target: Target) -> Hit[Response] | None:
        digest = Digest.parse(target.argument)
        if request.method == "HEAD":
            stat = self._hits.stat_blob(target.name, digest)
            return None if stat is None else Hit(stat_response(digest, stat.value), stat.stands)
        hit = self._hits.blob(target.name, digest, select(request, digest))
        return None if hit is None else Hit(blob_response(digest, hit.value), hit.stands)
