"""Locations: the URLs in answers, by Distribution's rules for `http.host`, `prefix`, `relativeurls` and proxies."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlencode

from entrepot.api.message import Header, Request
from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName

_AUTHORITY = re.compile(r"[A-Za-z0-9.\-_~\[\]:%]{1,300}")
_FORWARDED = re.compile(r"(?<![\w-])(host|proto)\s*=\s*\"?([A-Za-z0-9.\-_~\[\]:]{1,300})\"?", re.IGNORECASE)
_LONGEST_FORWARDED = 1024


@dataclass(frozen=True, slots=True)
class Urls:
    """Builds locations. `host` is a base URL with its path, without a trailing slash; empty: the request tells.

    `prefix` is empty or begins, and does not end, with a slash.
    """

    host: str = ""
    prefix: str = ""
    relative: bool = False

    def blob(self, request: Request, name: RepositoryName, digest: Digest) -> Header:
        return self._location(request, f"/v2/{name}/blobs/{digest}")

    def manifest(self, request: Request, name: RepositoryName, digest: Digest) -> Header:
        return self._location(request, f"/v2/{name}/manifests/{digest}")

    def upload(self, request: Request, name: RepositoryName, upload_id: str, state: str) -> Header:
        return self._location(request, f"/v2/{name}/blobs/uploads/{upload_id}?{urlencode({'_state': state})}")

    def path(self, path: str) -> str:
        """As a Link header names it: always without a host."""
        return self.prefix + path

    def _location(self, request: Request, path: str) -> Header:
        if self.host:
            return "location", self.host + path
        if self.relative:
            return "location", self.prefix + path
        scheme, authority = _origin(request)
        return "location", f"{scheme}://{authority}{self.prefix}{path}" if authority else self.prefix + path


def _origin(request: Request) -> tuple[str, str]:
    forwarded = request.headers.get("forwarded")
    if forwarded is not None:
        first = forwarded[:_LONGEST_FORWARDED].split(",", 1)[0]
        parts = {key.lower(): value for key, value in _FORWARDED.findall(first)}
        scheme, authority = parts.get("proto", "").lower(), parts.get("host", "")
    else:
        scheme = _first(request.headers.get("x-forwarded-proto"))
        authority = _first(request.headers.get("x-forwarded-host"))
    return (
        scheme if scheme in ("http", "https") else request.scheme,
        authority if _AUTHORITY.fullmatch(authority) else request.authority,
    )


def _first(value: str | None) -> str:
    return (value or "").split(",", 1)[0].strip().lower()
