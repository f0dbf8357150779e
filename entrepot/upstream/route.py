"""How an upstream is reached: whom to trust beyond the system's authorities, who we are, and by which proxy.

Read and checked when it is made, so that a file that is missing or wrong is told at the start and not at a pull.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.request import getproxies, proxy_bypass

from pyreqwest.client import ClientBuilder
from pyreqwest.http import Url
from pyreqwest.proxy import ProxyBuilder

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----")
_LARGEST_FILE = 4 * 1024 * 1024
_PROXY_SCHEMES = frozenset({"http", "https"})


@dataclass(frozen=True, slots=True)
class Route:
    """Authorities beside the system's, our own certificate with its key, and a proxy; each may be missing."""

    authorities: tuple[bytes, ...] = ()
    identity: bytes | None = field(default=None, repr=False)
    proxy: Url | None = field(default=None, repr=False)

    @classmethod
    def read(cls, ca: str = "", clientcert: str = "", proxyurl: str = "") -> Self:
        """From the paths of two PEM files and the URL of a proxy, which may hold its password; "" means none.

        Without a proxy those of the environment are used (HTTPS_PROXY, HTTP_PROXY, NO_PROXY), as Distribution does.
        Raises ValueError with a reason fit for the operator, without the proxy's URL.
        """
        return cls(
            _read_authorities(ca) if ca else (),
            _read_identity(clientcert) if clientcert else None,
            _parse_proxy(proxyurl) if proxyurl else None,
        )

    def applied(self, builder: ClientBuilder) -> ClientBuilder:
        """The same client, taking this route."""
        for authority in self.authorities:
            builder = builder.add_root_certificate_pem(authority)
        if self.identity is not None:
            builder = builder.identity_pem(self.identity)
        return builder if self.proxy is None else builder.proxy(ProxyBuilder.all(self.proxy))

    def is_proxied(self, url: Url) -> bool:
        """Whether the way there leads through a proxy."""
        if self.proxy is not None:
            return True
        return bool(getproxies().keys() & {url.scheme, "all"}) and not proxy_bypass(url.authority)


def _read(path: str, what: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise ValueError(f"{what}: can not read {path}: {error.strerror}") from None
    if len(content) > _LARGEST_FILE:
        raise ValueError(f"{what}: {path} is larger than {_LARGEST_FILE} bytes")
    return content


def _read_authorities(path: str) -> tuple[bytes, ...]:
    found = tuple(_CERTIFICATE.findall(_read(path, "ca")))
    if not found:
        raise ValueError(f"ca: {path} holds no certificate in PEM form")
    try:
        ssl.create_default_context(cadata=b"\n".join(found).decode("ascii"))
    except (ssl.SSLError, ValueError):
        raise ValueError(f"ca: {path} holds a certificate that can not be read") from None
    return found


def _read_identity(path: str) -> bytes:
    content = _read(path, "clientcert")
    try:
        # An encrypted key would otherwise ask for its passphrase on the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(path, password=lambda: "")
    except (ssl.SSLError, ValueError):
        reason = "must hold a certificate and the unencrypted key that belongs to it, in PEM form"
        raise ValueError(f"clientcert: {path} {reason}") from None
    return content


def _parse_proxy(proxyurl: str) -> Url:
    try:
        url = Url(proxyurl)
    except ValueError:
        raise ValueError("proxyurl: no URL") from None
    if url.scheme not in _PROXY_SCHEMES or not url.host_str:
        raise ValueError("proxyurl: must be an http or https URL with a host")
    return url
