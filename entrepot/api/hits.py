"""Hits over HTTP: the answers that can be given at once, without the event loop, in whatever thread the server asks.

Only the plainest requests: GET and HEAD, without a condition, of a manifest, a small blob, or a small part of any. All
others, and all that goes wrong, is for the dispatcher's ordinary way.
"""

from __future__ import annotations

from entrepot.api.blobs import blob_response, select
from entrepot.api.manifests import manifest_headers
from entrepot.api.message import Request, Response, content_response
from entrepot.api.routes import Kind, Target
from entrepot.oci.digest import Digest
from entrepot.oci.names import parse_reference
from entrepot.registry import Hits


class HitHandlers:
    def __init__(self, hits: Hits) -> None:
        self._hits = hits

    def answer(self, request: Request, target: Target) -> Response | None:
        """None where there is more to it. Raises the errors of its parsers."""
        if request.headers.get("if-none-match") is not None:
            return None
        if target.kind is Kind.MANIFEST:
            return self._manifest(target)
        return self._blob(request, target) if target.kind is Kind.BLOB else None

    def _manifest(self, target: Target) -> Response | None:
        manifest = self._hits.manifest(target.name, parse_reference(target.argument))
        if manifest is None:
            return None
        return content_response(200, manifest.media_type, manifest.content, manifest_headers(manifest.digest))

    def _blob(self, request: Request, target: Target) -> Response | None:
        digest = Digest.parse(target.argument)
        # What HEAD answers has no part.
        wanted = select(request, digest) if request.method == "GET" else None
        blob = self._hits.blob(target.name, digest, wanted)
        return None if blob is None else blob_response(digest, blob)
