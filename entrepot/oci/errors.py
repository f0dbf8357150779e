"""Every error a registry may answer, one class per code, raised where it is known.

Holds code, status and message once (OCI distribution-spec "Error Codes", CNCF Distribution's additions). Must not know
HTTP messages: the API's dispatcher turns these into responses, in one place.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from enum import Enum
from typing import Any, ClassVar, Self


class Detail(Enum):
    """Details that no JSON value of Python says: None stands for no detail at all."""

    NULL = "null"


class RegistryError(Exception):
    """A refusal with the spec's code; `detail` is any JSON value or a Detail, `headers` go on the answer as is."""

    code: ClassVar[str] = "UNKNOWN"
    status: ClassVar[int] = 500
    message: ClassVar[str] = "unknown error"

    def __init__(self, detail: Any = None, *, headers: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = tuple(headers)

    def with_headers(self, headers: Sequence[tuple[str, str]]) -> Self:
        """The same refusal with more headers; this one, which others may hold, stays as it is."""
        extended = copy.copy(self)
        extended.headers = (*self.headers, *headers)
        return extended

    def __str__(self) -> str:
        return self.message if self.detail in (None, Detail.NULL) else f"{self.message}: {self.detail}"


class Errors(RegistryError):
    """Several refusals of one request; the first decides the status."""

    def __init__(self, errors: Sequence[RegistryError]) -> None:
        super().__init__()
        self.errors = tuple(errors)

    def __str__(self) -> str:
        return "; ".join(str(error) for error in self.errors)


class BlobUnknown(RegistryError):
    code, status, message = "BLOB_UNKNOWN", 404, "blob unknown to registry"


class BlobUploadInvalid(RegistryError):
    """404, as Distribution answers: to the client, a session it may not use does not exist."""

    code, status, message = "BLOB_UPLOAD_INVALID", 404, "blob upload invalid"


class BlobUploadMalformed(BlobUploadInvalid):
    """The request, not the session, is at fault: 400 with the same code."""

    status = 400


class BlobUploadBusy(BlobUploadInvalid):
    """Another request is writing to the session: 409 with the same code."""

    status = 409


class BlobUploadUnknown(RegistryError):
    code, status, message = "BLOB_UPLOAD_UNKNOWN", 404, "blob upload unknown to registry"


class Denied(RegistryError):
    code, status, message = "DENIED", 403, "requested access to the resource is denied"


class DigestInvalid(RegistryError):
    code, status, message = "DIGEST_INVALID", 400, "provided digest did not match uploaded content"


class ManifestBlobUnknown(RegistryError):
    code, status, message = "MANIFEST_BLOB_UNKNOWN", 400, "blob unknown to registry"


class ManifestInvalid(RegistryError):
    code, status, message = "MANIFEST_INVALID", 400, "manifest invalid"


class ManifestTooLarge(ManifestInvalid):
    """413, as the OCI spec asks ("Pushing Manifests")."""

    status = 413


class ManifestUnverified(RegistryError):
    code, status, message = "MANIFEST_UNVERIFIED", 400, "manifest failed signature verification"


class ManifestUnknown(RegistryError):
    code, status, message = "MANIFEST_UNKNOWN", 404, "manifest unknown"


class NameInvalid(RegistryError):
    code, status, message = "NAME_INVALID", 400, "invalid repository name"


class NameUnknown(RegistryError):
    code, status, message = "NAME_UNKNOWN", 404, "repository name not known to registry"


class PaginationNumberInvalid(RegistryError):
    code, status, message = "PAGINATION_NUMBER_INVALID", 400, "invalid number of results requested"


class RangeInvalid(RegistryError):
    code, status, message = "RANGE_INVALID", 416, "invalid content range"


class SizeInvalid(RegistryError):
    code, status, message = "SIZE_INVALID", 400, "provided length did not match content length"


class BlobTooLarge(SizeInvalid):
    """413: an operator's bound; the specification has no code for it."""

    status, message = 413, "blob too large"


class TagInvalid(RegistryError):
    code, status, message = "TAG_INVALID", 400, "manifest tag did not match URI"


class TooManyRequests(RegistryError):
    code, status, message = "TOOMANYREQUESTS", 429, "too many requests"


class Unauthorized(RegistryError):
    code, status, message = "UNAUTHORIZED", 401, "authentication required"


class Unavailable(RegistryError):
    code, status, message = "UNAVAILABLE", 503, "service unavailable"


class Unsupported(RegistryError):
    code, status, message = "UNSUPPORTED", 405, "The operation is unsupported."


class EncodingUnsupported(Unsupported):
    """A request body in a Content-Encoding: it would be stored under a digest it does not have (RFC 9110 §15.5.16)."""

    status = 415


class UriTooLong(Unsupported):
    """More than the server takes in one URL; the spec names 414 for too many `tag` parameters."""

    status = 414


class StorageFull(RegistryError):
    """The store has no room: 507 (RFC 4918 §11.5), so that a client can tell it from a defect."""

    status, message = 507, "no space left in the registry's storage"


class UpstreamFailed(RegistryError):
    """The upstream answered nothing usable."""

    status, message = 502, "upstream registry failed"


class LoopDetected(RegistryError):
    """A mirror is, directly or through others, its own upstream: 508 (RFC 5842 §7.2)."""

    status, message = 508, "request loop"


class UpstreamUnreachable(UpstreamFailed):
    """The upstream could not be asked at all."""

    status, message = 503, "upstream registry unreachable"


def encode(error: RegistryError) -> bytes:
    """The spec's body: `{"errors": [{"code", "message", "detail"?}, …]}` and a newline."""
    errors = error.errors if isinstance(error, Errors) else (error,)
    entries = []
    for one in errors:
        entry: dict[str, Any] = {"code": one.code, "message": one.message}
        if one.detail is not None:
            entry["detail"] = None if one.detail is Detail.NULL else one.detail
        entries.append(entry)
    return json.dumps({"errors": entries}, separators=(",", ":")).encode() + b"\n"


def status_of(error: RegistryError) -> int:
    """The HTTP status: the first error's."""
    return error.errors[0].status if isinstance(error, Errors) else error.status
