"""The keys that tokens may be signed with: what the operator trusts, never what a token brings (CVE-2025-24976)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.verification import Criticality, ExtensionPolicy, Policy, PolicyBuilder, Store, VerificationError
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet, import_key

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----")
_KINDS: tuple[tuple[type, Literal["RSA", "EC", "OKP"]], ...] = (
    (rsa.RSAPublicKey, "RSA"),
    (ec.EllipticCurvePublicKey, "EC"),
    (ed25519.Ed25519PublicKey, "OKP"),
)
_LARGEST_FILE = 4 * 1024 * 1024
_LONGEST_CHAIN = 10

Header = Mapping[str, Any]


class Untrusted(Exception):
    """No trusted key is named."""


class TrustedKeys:
    """Keys by their ids, and the authorities whose certificates are good for further ones."""

    def __init__(self, certificates: Sequence[x509.Certificate], keys: Sequence[Key]) -> None:
        self._certificates = tuple(certificates)
        self._by_id: dict[str, Key] = {}
        for certificate in certificates:
            key = _key_of(certificate)
            # As Distribution 2.x names it, and 3.x.
            self._by_id[fingerprint(certificate)] = self._by_id[key.thumbprint()] = key
        for key in keys:
            self._by_id[key.kid or key.thumbprint()] = key

    @classmethod
    def read(cls, rootcertbundle: str, jwks: str) -> Self:
        """From a PEM bundle and a JSON Web Key Set; "" where there is none. Raises ValueError, fit for the operator."""
        certificates = _read_bundle(rootcertbundle) if rootcertbundle else []
        return cls(certificates, _read_key_set(jwks) if jwks else [])

    def find(self, header: Header) -> Key:
        """The trusted key that a token's header names, by its certificates, its key, or an id. Raises Untrusted."""
        if "x5c" in header:
            return self._certified(header["x5c"])
        if "jwk" in header:
            return self._same(header["jwk"])
        kid = header.get("kid")
        key = self._by_id.get(kid) if isinstance(kid, str) else None
        if key is None:
            raise Untrusted("the token names no trusted key")
        return key

    def _same(self, jwk: object) -> Key:
        if not isinstance(jwk, dict):
            raise Untrusted("jwk is no key")
        if "x5c" in jwk:
            return self._certified(jwk["x5c"])
        try:
            # Its own id says nothing: only what the key is.
            return self._by_id[import_key(jwk).thumbprint()]
        except (JoseError, ValueError, TypeError, KeyError):
            raise Untrusted("jwk is no trusted key") from None

    def _certified(self, x5c: object) -> Key:
        chain = _parse_chain(x5c)
        if chain[0] in self._certificates:
            return self._valid_now(chain[0])
        authorities = ExtensionPolicy.permit_all().require_present(
            x509.BasicConstraints, Criticality.AGNOSTIC, _require_authority
        )
        try:
            verifier = (
                PolicyBuilder()
                .store(Store(list(self._certificates)))
                .extension_policies(ca_policy=authorities, ee_policy=ExtensionPolicy.permit_all())
                .build_client_verifier()
            )
            verifier.verify(chain[0], chain[1:])
        except (VerificationError, ValueError):
            raise Untrusted("the certificates lead to no trusted authority") from None
        return _key_of(chain[0])

    def _valid_now(self, certificate: x509.Certificate) -> Key:
        now = datetime.now(UTC)
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            raise Untrusted("the certificate is not valid now")
        return _key_of(certificate)


def fingerprint(certificate: x509.Certificate) -> str:
    """The id of a certificate's key as libtrust makes it: what token servers for Distribution 2.x send as kid."""
    info = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    text = base64.b32encode(hashlib.sha256(info).digest()[:30]).decode()
    return ":".join(text[start : start + 4] for start in range(0, len(text), 4))


def _require_authority(_: Policy, __: x509.Certificate, constraints: x509.BasicConstraints | None) -> None:
    if constraints is None or not constraints.ca:
        raise ValueError("no authority")


def _parse_chain(x5c: object) -> list[x509.Certificate]:
    if not isinstance(x5c, list) or not 0 < len(x5c) <= _LONGEST_CHAIN:
        raise Untrusted("x5c is no chain of certificates")
    try:
        # In standard base64, not in the URL's (RFC 7515 §4.1.6).
        return [x509.load_der_x509_certificate(base64.b64decode(one, validate=True)) for one in x5c]
    except (TypeError, ValueError, binascii.Error, UnsupportedAlgorithm):
        raise Untrusted("x5c holds what is no certificate") from None


def _key_of(certificate: x509.Certificate) -> Key:
    try:
        public = certificate.public_key()
        kind = next(kind for known, kind in _KINDS if isinstance(public, known))
        return import_key(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), kind)
    except (JoseError, ValueError, TypeError, StopIteration, UnsupportedAlgorithm):
        raise Untrusted("a certificate with a key that signs no tokens") from None


def _read(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from None
    if len(content) > _LARGEST_FILE:
        raise ValueError(f"{path} is larger than {_LARGEST_FILE} bytes")
    return content


def _read_bundle(path: str) -> list[x509.Certificate]:
    blocks = _CERTIFICATE.findall(_read(path))
    try:
        certificates = [x509.load_pem_x509_certificate(block) for block in blocks]
        for certificate in certificates:
            _key_of(certificate)
    except (ValueError, UnsupportedAlgorithm, Untrusted):
        raise ValueError(f"{path} holds a certificate that cannot be used") from None
    if not certificates:
        raise ValueError(f"{path} holds no certificate in PEM form")
    return certificates


def _read_key_set(path: str) -> list[Key]:
    content = _read(path)
    try:
        keys = KeySet.import_key_set(json.loads(content)).keys
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        raise ValueError(f"{path} holds no JSON Web Key Set") from None
    if not keys:
        raise ValueError(f"{path} holds no key")
    return list(keys)
