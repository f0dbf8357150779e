"""The key that this registry signs schema 1 manifests with."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from pathlib import Path
from typing import Any, Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from joserfc.errors import JoseError
from joserfc.jwk import import_key

from entrepot.schema1.jws import cut, encode, joined

_LARGEST_FILE = 64 * 1024
_ID_BYTES, _ID_GROUP = 30, 4
_JWK_SUFFIXES = (".json", ".jwk")


class Signer:
    """Signs with an elliptic curve or RSA key."""

    def __init__(self, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
        self._key = key
        self._public = _described(key)

    @classmethod
    def read(cls, path: str) -> Self:
        """From PEM, or from a JSON Web Key where the file is called so. Raises OSError, ValueError and TypeError."""
        with Path(path).open("rb") as file:
            content = file.read(_LARGEST_FILE)
        key = _read_jwk(content) if path.endswith(_JWK_SUFFIXES) else load_pem_private_key(content, None)
        if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            raise TypeError("neither an elliptic curve nor an RSA key")
        return cls(key)

    @classmethod
    def generate(cls) -> Self:
        """A key that nobody has seen before."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    def sign(self, payload: bytes) -> bytes:
        """The manifest with our signature alone."""
        length, tail = cut(payload)
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        header = {"formatLength": length, "formatTail": encode(tail), "time": now}
        protected = encode(json.dumps(header, separators=(",", ":")).encode())
        algorithm, signature = self._signature(f"{protected}.{encode(payload)}".encode())
        entry = {
            "header": {"jwk": self._public, "alg": algorithm},
            "signature": encode(signature),
            "protected": protected,
        }
        return joined(payload, [entry])

    def _signature(self, signed: bytes) -> tuple[str, bytes]:
        if isinstance(self._key, rsa.RSAPrivateKey):
            return "RS256", self._key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
        bits = self._key.curve.key_size
        strength = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}.get(bits)
        if strength is None:
            raise ValueError("a curve that JSON Web Signatures do not know")
        size = (bits + 7) // 8
        pair = decode_dss_signature(self._key.sign(signed, ec.ECDSA(strength)))
        return f"ES{strength.digest_size * 8}", b"".join(one.to_bytes(size) for one in pair)


def _read_jwk(content: bytes) -> object:
    try:
        return import_key(json.loads(content)).private_key
    except (JoseError, AttributeError, TypeError, KeyError) as error:
        raise ValueError(f"no JSON Web Key: {error!r:.200}") from None


def _described(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> dict[str, Any]:
    """The public key as libtrust writes it."""
    public = key.public_key()
    info = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    name = base64.b32encode(hashlib.sha256(info).digest()[:_ID_BYTES]).decode()
    kid = ":".join(name[start : start + _ID_GROUP] for start in range(0, len(name), _ID_GROUP))
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        return {"e": _number(numbers.e), "kid": kid, "kty": "RSA", "n": _number(numbers.n)}
    size = (public.curve.key_size + 7) // 8
    point = public.public_numbers()
    crv = f"P-{public.curve.key_size}"
    return {"crv": crv, "kid": kid, "kty": "EC", "x": _number(point.x, size), "y": _number(point.y, size)}


def _number(value: int, size: int = 0) -> str:
    return encode(value.to_bytes(max(size, (value.bit_length() + 7) // 8)))
