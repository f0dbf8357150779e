"""Keys and certificates for tests of tokens, of every kind."""

import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


class _Long(JWSRegistry):
    """Whose headers may hold certificates."""

    max_header_length = 64 * 1024


def new_key(kind: str) -> Private:
    """RSA, EC or Ed25519."""
    if kind == "RSA":
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP256R1()) if kind == "EC" else ed25519.Ed25519PrivateKey.generate()


KEYS: dict[str, type[RSAKey | ECKey | OKPKey]] = {"RSA": RSAKey, "EC": ECKey, "Ed25519": OKPKey}
ALGORITHM = {"RSA": "RS256", "EC": "ES256", "Ed25519": "EdDSA"}


@dataclass(frozen=True)
class Party:
    """A private key and the certificate for it, signed by itself or by another party."""

    kind: str
    private: Private
    certificate: x509.Certificate

    @property
    def key(self) -> Key:
        pem = self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return KEYS[self.kind].import_key(pem)

    @property
    def public_jwk(self) -> dict[str, Any]:
        return dict(self.key.as_dict(private=False))

    @property
    def x5c(self) -> str:
        """The certificate as a token's header brings it."""
        return "".join(self.pem.decode().splitlines()[1:-1])

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        """A token; the header names the algorithm of the key, and what else is given."""
        algorithm = ALGORITHM[self.kind]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # of EdDSA, as Distribution calls it
            signed = _Long(algorithms=[algorithm], strict_check_header=False)
            return jwt.encode({"alg": algorithm, "typ": "JWT", **header}, claims, self.key, registry=signed)


def new_party(kind: str = "EC", signer: Party | None = None, *, is_authority: bool = True, days: int = 2) -> Party:
    """One of a kind; `days` may be negative for one that has expired."""
    private = new_key(kind)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{kind} {id(private)}")])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name if signer is None else signer.certificate.subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=10))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    by = signer.private if signer is not None else private
    algorithm = None if isinstance(by, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return Party(kind, private, builder.sign(by, algorithm))
