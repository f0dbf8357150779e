"""A small token service: who is known gets a signed token for what it may do (Distribution's token specification).

It answers GET with a password, and POST with a password or a refresh token (OAuth 2.0), as Docker's clients ask. Its
key and certificate are its own, and can be written where a registry reads what it trusts.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from joserfc import jwt
from joserfc.jwk import ECKey

from entrepot.auth.keys import fingerprint
from entrepot.testing.faults import Reply
from entrepot.testing.origins import Seen

PATH = "/token"


class TokenService:
    """`answer` is for an Origin. `passwords` are by user; `granted` says what a user, or "" for all, may do where."""

    def __init__(
        self,
        *,
        issuer: str = "test-issuer",
        service: str = "entrepot",
        passwords: Mapping[str, str],
        granted: Mapping[tuple[str, str], Sequence[str]],
    ) -> None:
        self.issuer = issuer
        self.service = service
        self._passwords = dict(passwords)
        self._granted = dict(granted)
        private = ec.generate_private_key(ec.SECP256R1())
        self._certificate = _self_signed(private)
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self._key = ECKey.import_key(pem)

    def write_bundle(self, path: Path) -> Path:
        """What `rootcertbundle` is to name."""
        path.write_bytes(self._certificate.public_bytes(Encoding.PEM))
        return path

    def write_key_set(self, path: Path) -> Path:
        """What `jwks` is to name."""
        path.write_text(json.dumps({"keys": [{**self._key.as_dict(private=False), "kid": self._kid}]}))
        return path

    @property
    def _kid(self) -> str:
        return fingerprint(self._certificate)

    def token(self, user: str, access: Sequence[Mapping[str, Any]], **claims: Any) -> str:
        """A signed token; `claims` replace those it would have, and None leaves one out."""
        now = int(time.time())
        told: dict[str, Any] = {
            "iss": self.issuer,
            "sub": user,
            "aud": self.service,
            "exp": now + 300,
            "nbf": now - 10,
            "iat": now,
            "jti": "1",
            "access": list(access),
            **claims,
        }
        kept = {name: value for name, value in told.items() if value is not None}
        return jwt.encode({"alg": "ES256", "typ": "JWT", "kid": self._kid}, kept, self._key, algorithms=["ES256"])

    def answer(self, seen: Seen) -> Reply:
        """To a request for a token; 401 for a wrong password."""
        if seen.path != PATH:
            return Reply(404, (), b"")
        asked = seen.form if seen.method == "POST" else seen.query
        user = self._user(seen, asked)
        if user is None:
            return _json(401, {"errors": [{"code": "UNAUTHORIZED", "message": "wrong password"}]})
        scopes = [scope for text in asked.get("scope", []) for scope in text.split()]
        token = self.token(user, [access for scope in scopes if (access := self._access(user, scope))])
        body = {"token": token, "access_token": token, "expires_in": 300}
        return _json(200, {**body, "refresh_token": f"refresh-{user}"} if seen.method == "POST" else body)

    def _user(self, seen: Seen, asked: Mapping[str, list[str]]) -> str | None:
        """Who asks: "" for nobody in particular, None for a wrong password."""
        if asked.get("grant_type") == ["refresh_token"]:
            user = asked["refresh_token"][0].removeprefix("refresh-")
            return user if user in self._passwords else None
        if asked.get("grant_type") == ["password"]:
            user, password = asked["username"][0], asked["password"][0]
        else:
            scheme, _, encoded = seen.headers.get("authorization", "").partition(" ")
            if scheme.lower() != "basic":
                return ""
            user, _, password = base64.b64decode(encoded).decode().partition(":")
        return user if self._passwords.get(user) == password else None

    def _access(self, user: str, scope: str) -> dict[str, Any] | None:
        kind, _, rest = scope.partition(":")
        name, _, actions = rest.rpartition(":")
        allowed = {*self._granted.get((user, name), ()), *self._granted.get(("", name), ())}
        granted = [action for action in actions.split(",") if action in allowed or "*" in allowed]
        return {"type": kind, "name": name, "actions": granted} if granted else None


def _self_signed(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test token service")])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    return builder.sign(key, hashes.SHA256())


def _json(status: int, body: Mapping[str, Any]) -> Reply:
    return Reply(status, (("Content-Type", "application/json"),), json.dumps(body).encode())
