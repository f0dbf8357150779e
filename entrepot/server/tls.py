"""What the server shows to clients, and whom it trusts: copies in memory of files that were looked at.

Workers are started at any time, and read them then: what is on the disk may be half replaced just then.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TypeAlias

from granian.constants import SSLProtocols

from entrepot.config.tls import Tls
from entrepot.server.certificates import check_authorities, check_certificate
from entrepot.server.listener import StartFailed

Context: TypeAlias = "tuple[bool, str | None, str | None, str | None, str, str | None, list[str], bool]"
"""What Granian calls so: whether TLS is spoken, certificate, key, passphrase, oldest protocol, authorities, revocation
lists, whether clients must show a certificate."""

Identity = tuple[tuple[int, int, int, int], ...]

_TRIES = 10


class TlsFiles:
    """The files of one `Tls` section as they were when this was made; `close` gives the memory back.

    Raises StartFailed where they are no good.
    """

    def __init__(self, tls: Tls) -> None:
        self.tls = tls
        self._descriptors: list[int] = []
        self.identity: Identity = ()
        if not tls.certificate:
            return
        try:
            self._read()
        except BaseException:
            self.close()
            raise

    def _read(self) -> None:
        for _ in range(_TRIES):
            self.close()
            self.identity = identity_of(self.tls)
            check_certificate(self.tls)
            check_authorities(self.tls)
            self._certificate = self._copy("certificate", [self.tls.certificate])
            self._key = self._copy("key", [self.tls.key])
            self._authorities = self._copy("clientcas", self.tls.clientcas) if self.tls.clientcas else None
            if identity_of(self.tls) == self.identity:
                return
        raise StartFailed("http.tls: the files change all the time")

    def _copy(self, name: str, paths: list[str] | tuple[str, ...]) -> str:
        # No file of the disk: nobody else can open it, and it is gone with the process.
        descriptor = os.memfd_create(f"entrepot-{name}", os.MFD_CLOEXEC)
        self._descriptors.append(descriptor)
        for path in paths:
            with open(path, "rb") as file:
                os.write(descriptor, file.read() + b"\n")
        return f"/proc/self/fd/{descriptor}"

    def context(self) -> Context:
        """For workers that are forked while this is open."""
        oldest = SSLProtocols.tls13 if self.tls.minimumtls == "tls1.3" else SSLProtocols.tls12
        if not self.tls.certificate:
            return (False, None, None, None, str(oldest), None, [], False)
        must_show = self._authorities is not None and self.tls.clientauth == "require-and-verify-client-cert"
        return (True, self._certificate, self._key, None, str(oldest), self._authorities, [], must_show)

    def close(self) -> None:
        """Give the memory back; workers that run have read it."""
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors.clear()


def identity_of(tls: Tls) -> Identity:
    """The same as long as nobody has written, replaced or removed one of the files."""
    return tuple(_identities(tls))


def _identities(tls: Tls) -> Iterator[tuple[int, int, int, int]]:
    for path in (tls.certificate, tls.key, *tls.clientcas) if tls.certificate else ():
        try:
            status = os.stat(path)
        except OSError:
            yield (0, 0, 0, 0)
        else:
            yield (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)
