"""The `_state` of an upload's location: Distribution's token, so that either server takes the other's.

`base64url(HMAC-SHA256(secret, J) || J)`, J being JSON with Name, UUID, Offset and StartedAt in that order. It binds an
upload to its repository, so that nobody goes on with a session he only knows the id of (CVE-2026-32589).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from dataclasses import dataclass

from entrepot.oci.errors import BlobUploadInvalid

_LONGEST = 2048
_MAC = 32


@dataclass(frozen=True, slots=True)
class UploadState:
    """Which upload of which repository, and the offset the client was told."""

    name: str
    upload_id: str
    offset: int
    started_at: str


class StateSigner:
    """Signs and verifies with `http.secret`; all workers, and all servers that share uploads, need the same one."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def sign(self, state: UploadState) -> str:
        members = {
            "Name": state.name,
            "UUID": state.upload_id,
            "Offset": state.offset,
            "StartedAt": state.started_at,
        }
        payload = json.dumps(members, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._mac(payload) + payload).decode("ascii")

    def verify(self, token: str, name: str, upload_id: str) -> UploadState:
        """Raises BlobUploadInvalid, without saying what is wrong, unless the token is for this very upload."""
        try:
            raw = base64.b64decode(token[:_LONGEST], altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise BlobUploadInvalid from None
        payload = raw[_MAC:]
        if not hmac.compare_digest(raw[:_MAC], self._mac(payload)):
            raise BlobUploadInvalid
        state = _read(payload)
        if (state.name, state.upload_id) != (name, upload_id):
            raise BlobUploadInvalid
        return state

    def _mac(self, payload: bytes) -> bytes:
        return hmac.digest(self._secret, payload, "sha256")


def _read(payload: bytes) -> UploadState:
    try:
        members = json.loads(payload)
        return UploadState(members["Name"], members["UUID"], int(members["Offset"]), members["StartedAt"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BlobUploadInvalid from None
