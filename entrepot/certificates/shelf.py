"""Where a certificate that was fetched lies, with the key of the account: files that only their owner can read."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from cryptography import x509

_SHARE_LEFT = 3
"""Renewed when such a part of its life is left, as Let's Encrypt advises."""


class Shelf:
    """The directory at `path`, which is made when something is put there. Raises OSError."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.certificate = os.path.join(path, "certificate.pem")
        self.key = os.path.join(path, "key.pem")
        self.account = os.path.join(path, "account.pem")

    def read_account(self) -> bytes | None:
        """The account's key; None where there is none yet."""
        return _read(self.account)

    def keep_account(self, key: bytes) -> None:
        self._put(self.account, key)

    def keep(self, certificate: bytes, key: bytes) -> None:
        """Durable; the key first, so that whoever reads both at the wrong moment sees that they do not fit."""
        self._put(self.key, key)
        self._put(self.certificate, certificate)

    def renew_at(self, hosts: frozenset[str]) -> datetime | None:
        """When the certificate for these hosts is to be fetched anew; None: now, for there is none that is good."""
        content = _read(self.certificate)
        if content is None or _read(self.key) is None:
            return None
        try:
            certificate = x509.load_pem_x509_certificate(content)
            names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (ValueError, x509.ExtensionNotFound):
            return None
        begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if not hosts <= set(names.get_values_for_type(x509.DNSName)) or end <= datetime.now(UTC):
            return None
        return end - (end - begin) / _SHARE_LEFT

    def _put(self, path: str, content: bytes) -> None:
        os.makedirs(self.path, mode=0o700, exist_ok=True)
        away = f"{path}.new"
        descriptor = os.open(away, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.rename(away, path)


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None
