"""The signatures of Docker's first manifest format: libtrust's "pretty" JSON Web Signatures.

The signatures stand inside of the very object that they sign, before its last brace. Each says in its protected header
how the object was without them: its first `formatLength` bytes, then `formatTail`. Anybody may sign with a key of his
own, so that a signature that fits says that the manifest is whole, and nothing else.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from entrepot.oci.errors import ManifestInvalid, ManifestUnverified

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

_HASHES: Mapping[str, hashes.HashAlgorithm] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}
_CURVES: Mapping[str, ec.EllipticCurve] = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
_MOST_SIGNATURES = 8
_LARGEST_MODULUS = 8192  # bits; what is larger keeps the processor busy
_BASE64 = re.compile(r"[A-Za-z0-9_-]*")


def payload_of(content: bytes) -> bytes:
    """The manifest without its signatures, each of which fits. Raises ManifestInvalid and ManifestUnverified."""
    try:
        members = json.loads(content)
        signatures = members["signatures"]
        if not isinstance(signatures, list) or not 1 <= len(signatures) <= _MOST_SIGNATURES:
            raise ManifestInvalid(f"a schema 1 manifest needs 1 to {_MOST_SIGNATURES} signatures")
        payloads = {_payload(content, _text(one, "protected")) for one in signatures}
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ManifestInvalid(f"no signed schema 1 manifest: {error!r:.200}") from None
    if len(payloads) != 1:
        raise ManifestInvalid("the signatures are for different manifests")
    [payload] = payloads
    for signature in signatures:
        _verify(signature, payload)
    return payload


def _payload(content: bytes, protected: str) -> bytes:
    header = json.loads(decode(protected))
    length, tail = header["formatLength"], decode(_text(header, "formatTail"))
    if type(length) is not int or not 0 <= length <= len(content):
        raise ManifestInvalid("formatLength is not within the manifest")
    return content[:length] + tail


def _verify(signature: Mapping[str, Any], payload: bytes) -> None:
    try:
        header = signature["header"]
        signed = f"{_text(signature, 'protected')}.{encode(payload)}".encode()
        _check(_key(header), _text(header, "alg"), decode(_text(signature, "signature")), signed)
    except (LookupError, TypeError, ValueError, InvalidSignature, UnsupportedAlgorithm):
        raise ManifestUnverified("a signature does not fit") from None


def _check(key: PublicKey, algorithm: str, signature: bytes, signed: bytes) -> None:
    kind, digest = algorithm[:2], _HASHES[algorithm[2:]]
    if kind == "RS" and isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, signed, padding.PKCS1v15(), digest)
    elif kind == "ES" and isinstance(key, ec.EllipticCurvePublicKey):
        half = len(signature) // 2
        first, second = int.from_bytes(signature[:half]), int.from_bytes(signature[half:])
        key.verify(encode_dss_signature(first, second), signed, ec.ECDSA(digest))
    else:
        raise ValueError(algorithm)


def _key(header: Mapping[str, Any]) -> PublicKey:
    if "x5c" in header:
        key: object = x509.load_der_x509_certificate(base64.b64decode(header["x5c"][0], validate=True)).public_key()
    else:
        key = _jwk(header["jwk"])
    if isinstance(key, rsa.RSAPublicKey) and key.key_size > _LARGEST_MODULUS:
        raise ValueError("the key is too large")
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise TypeError("the key is of another kind")
    return key


def _jwk(members: Mapping[str, Any]) -> PublicKey:
    def number(name: str) -> int:
        return int.from_bytes(decode(_text(members, name)[: _LARGEST_MODULUS // 4]))

    if members["kty"] == "EC":
        return ec.EllipticCurvePublicNumbers(number("x"), number("y"), _CURVES[members["crv"]]).public_key()
    if members["kty"] == "RSA":
        return rsa.RSAPublicNumbers(number("e"), number("n")).public_key()
    raise ValueError("the key is of another kind")


def _text(members: Mapping[str, Any], name: str) -> str:
    value = members[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string")
    return value


def joined(payload: bytes, signatures: Sequence[Mapping[str, Any]]) -> bytes:
    """The manifest with its signatures, indented as it is."""
    length, tail = cut(payload)
    indent = _indent(payload)
    if not indent:
        return payload[:length] + b',"signatures":' + json.dumps(signatures, separators=(",", ":")).encode() + tail
    text = json.dumps(signatures, indent=indent).replace("\n", f"\n{indent}")
    return payload[:length] + f',\n{indent}"signatures": {text}'.encode() + tail


def cut(payload: bytes) -> tuple[int, bytes]:
    """Where the signatures go in: before the white space that the last brace ends. And what comes behind them."""
    length = len(payload[: payload.rstrip().rindex(b"}")].rstrip())
    return length, payload[length:]


def _indent(payload: bytes) -> str:
    found = re.match(rb'\{\n([ \t]+)"', payload)
    return "" if found is None else found[1].decode()


def encode(content: bytes) -> str:
    """Base64 for URLs, without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Raises ValueError."""
    # The library skips what does not belong there: two texts would mean the same.
    if _BASE64.fullmatch(text) is None:
        raise ValueError("not base64")
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError(str(error)) from None
