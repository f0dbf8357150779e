"""Looks at a certificate and its key before workers are started with them, so that an unfit one is told in one line."""

from __future__ import annotations

import ssl
from typing import NoReturn

from entrepot.config.tls import Tls
from entrepot.server.listener import StartFailed

_KINDS = {
    "RSA": "06092a864886f70d010101",
    "ECDSA P-256": "06082a8648ce3d030107",
    "ECDSA P-384": "06052b81040022",
    "Ed25519": "06032b6570",
}
"""Keys that the server can use, each with its object identifier as a certificate contains it (RFC 5480, RFC 8410)."""


def check_certificate(tls: Tls) -> None:
    """Raises StartFailed unless a server can be started with `tls.certificate` and `tls.key`."""
    certificate = _read("certificate", tls.certificate)
    _read("key", tls.key)
    try:
        der = ssl.PEM_cert_to_DER_cert(_first_block(certificate))
    except ValueError:
        raise StartFailed(f"http.tls.certificate: {tls.certificate} holds no certificate in PEM form") from None
    if not any(bytes.fromhex(identifier) in der for identifier in _KINDS.values()):
        raise StartFailed(f"http.tls.certificate: its kind of key cannot be used; one of {', '.join(_KINDS)} can")
    _load(tls)


def _read(key: str, path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError as error:
        raise StartFailed(f"http.tls.{key}: cannot read {path}: {error.strerror}") from None


def _first_block(text: str) -> str:
    begin, end = text.find(ssl.PEM_HEADER), text.find(ssl.PEM_FOOTER)
    return text[begin : end + len(ssl.PEM_FOOTER)] if 0 <= begin < end else ""


def _load(tls: Tls) -> None:
    def refuse() -> NoReturn:
        raise StartFailed(f"http.tls.key: {tls.key} is encrypted; decrypt it, as nobody can type its passphrase")

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tls.certificate, tls.key, refuse)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise StartFailed(f"http.tls.key: {tls.key} does not belong to {tls.certificate}") from None
        if error.reason == "EE_KEY_TOO_SMALL":
            raise StartFailed("http.tls.certificate: its key is too short to be safe") from None
        raise StartFailed(f"http.tls: no usable key in {tls.key}, or a damaged certificate beside it") from None


def check_authorities(tls: Tls) -> None:
    """Raises StartFailed unless all of `tls.clientcas` hold certificates."""
    for position, path in enumerate(tls.clientcas):
        key = f"clientcas[{position}]"
        text = _read(key, path)
        try:
            ssl.create_default_context(cadata=text)
        except (ssl.SSLError, ValueError):
            raise StartFailed(f"http.tls.{key}: {path} holds no certificate in PEM form, or a damaged one") from None
