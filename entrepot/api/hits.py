"""Hits over HTTP: the answers that can be given at once, without the event loop, in whatever thread the server asks.

Only the plainest requests: GET and HEAD, without a condition, of a manifest or a blob. All others, and all that goes
wrong, is for the dispatcher's ordinary way.
"""

from __future__ import annotations

from collections.abc import Sequence

from entrepot.api.blobs import blob_response, select, stat_response
from entrepot.api.manifests import manifest_headers
from entrepot.api.message import Header, Headers, Request, Response, content_response
from entrepot.api.routes import Kind, Target
from entrepot.api.standing import Answer
from entrepot.content import Blob, Select
from entrepot.oci.descriptor import SCHEMA1
from entrepot.oci.digest import Digest
from entrepot.oci.errors import RegistryError
from entrepot.oci.names import parse_reference
from entrepot.registry import Hit, Hits, Parts


class Whole:
    """An answer that is the same for every request without a range and a condition, as long as it stands."""

    __slots__ = ("_hit",)

    def __init__(self, hit: Hit[Response]) -> None:
        self._hit = hit

    def again(self, headers: Headers) -> Response | None:
        if headers.get("if-none-match") is not None or not self._hit.stands():
            return None
        return self._hit.value


class PartsOf:
    """Answers to requests for parts of one blob."""

    __slots__ = ("_digest", "_headers", "_hit")

    def __init__(self, digest: Digest, hit: Hit[Parts], headers: Sequence[Header]) -> None:
        self._digest = digest
        self._hit = hit
        self._headers = headers

    def again(self, headers: Headers) -> Response | None:
        wanted = select(headers, self._digest)
        if wanted is None or headers.get("if-none-match") is not None or not self._hit.stands():
            return None
        try:
            blob = self._hit.value(wanted)
        except RegistryError:
            return None
        return None if blob is None else self.response(blob)

    def response(self, blob: Blob) -> Response:
        response = blob_response(self._digest, blob)
        response.headers += self._headers
        return response


class HitHandlers:
    def __init__(self, hits: Hits, headers: Sequence[Header] = ()) -> None:
        """`headers` go on every answer."""
        self._hits = hits
        self._headers = tuple(headers)

    def answer(self, request: Request, target: Target, common: Sequence[Header]) -> Answer | None:
        """None where there is more to it; `common` go on it as well. Raises the errors of its parsers."""
        if request.headers.get("if-none-match") is not None:
            return None
        headers = (*self._headers, *common)
        if target.kind is Kind.MANIFEST:
            hit = self._manifest(target)
        elif target.kind is Kind.BLOB:
            digest = Digest.parse(target.argument)
            wanted = None if request.method == "HEAD" else select(request.headers, digest)
            part = None if wanted is None else self._part(target, digest, wanted, headers)
            if part is not None:
                return part
            hit = self._blob(request, target, digest, wanted)
        else:
            return None
        if hit is None:
            return None
        hit.value.headers += headers
        is_plain = request.headers.get("range") is None
        return Answer(hit.value, Whole(hit).again if is_plain else None)

    def _part(self, target: Target, digest: Digest, wanted: Select, headers: Sequence[Header]) -> Answer | None:
        hit = self._hits.parts(target.name, digest)
        blob = None if hit is None else hit.value(wanted)
        if hit is None or blob is None:
            return None
        parts = PartsOf(digest, hit, headers)
        return Answer(parts.response(blob), parts.again)

    def _manifest(self, target: Target) -> Hit[Response] | None:
        hit = self._hits.manifest(target.name, parse_reference(target.argument))
        if hit is None or hit.value.media_type in SCHEMA1:
            return None
        manifest = hit.value
        headers = manifest_headers(manifest.digest)
        return Hit(content_response(200, manifest.media_type, manifest.content, headers), hit.stands)

    def _blob(self, request: Request, target: Target, digest: Digest, wanted: Select | None) -> Hit[Response] | None:
        if request.method == "HEAD":
            stat = self._hits.stat_blob(target.name, digest)
            return None if stat is None else Hit(stat_response(digest, stat.value), stat.stands)
        hit = self._hits.blob(target.name, digest, wanted)
        return None if hit is None else Hit(blob_response(digest, hit.value), hit.stands)
