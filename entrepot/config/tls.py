"""The section `http.tls`: certificates, whom to trust, and how old a protocol may be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from entrepot.config.address import Listener
from entrepot.config.section import Given, Section, together
from entrepot.config.types import FilePath, Text, one_of
from entrepot.config.urls import BaseUrl

CIPHER_SUITES = (
    "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
)
"""The names that Go gives to the suites Distribution accepts."""

_OFFERED_BY_1_2 = frozenset(
    f"TLS_ECDHE_{key}_WITH_{cipher}"
    for key in ("ECDSA", "RSA")
    for cipher in ("AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256")
)
_OFFERED_BY_1_3 = frozenset({"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"})
"""What the server's TLS library (rustls) speaks; it has no switch for any of them."""

_CLIENT_AUTH = (
    "request-client-cert",
    "require-any-client-cert",
    "verify-client-cert-if-given",
    "require-and-verify-client-cert",
)
_UNVERIFIED = {
    "request-client-cert": "verify-client-cert-if-given",
    "require-any-client-cert": "require-and-verify-client-cert",
}
"""Modes in which a certificate proves nothing: the library has none of these, and each has one that does."""


_LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"


class LetsEncrypt(Section):
    """A certificate fetched by ACME for `hosts`, kept in the directory `cachefile`.

    Not Distribution's: `directoryca`, whom to trust to be the service, and `challengeaddr`, where its challenges come.
    """

    cachefile: FilePath = ""
    email: Text = ""
    hosts: tuple[Text, ...] = ()
    directoryurl: BaseUrl = ""
    directoryca: FilePath = ""
    challengeaddr: Listener = ":80"

    @classmethod
    def contradictions(cls, given: Given) -> Iterator[tuple[str, str]]:
        for key in ("cachefile", "hosts"):
            if cls.used(given) and not given.get(key):
                yield key, "required where another key of letsencrypt is given"

    @property
    def directory(self) -> str:
        """The ACME service."""
        return self.directoryurl or _LETS_ENCRYPT


class Tls(Section):
    """TLS is spoken when a certificate is given."""

    certificate: FilePath = ""
    key: FilePath = ""
    clientcas: tuple[FilePath, ...] = ()
    clientauth: Annotated[str, one_of(*_CLIENT_AUTH, empty=_CLIENT_AUTH[-1])] = "require-and-verify-client-cert"
    minimumtls: Annotated[Literal["tls1.2", "tls1.3"], one_of("tls1.2", "tls1.3", empty="tls1.2")] = "tls1.2"
    ciphersuites: tuple[Annotated[str, one_of(*CIPHER_SUITES)], ...] = ()
    letsencrypt: LetsEncrypt = LetsEncrypt()

    @classmethod
    def contradictions(cls, given: Given) -> Iterator[tuple[str, str]]:
        if given.get("letsencrypt") and (given.get("certificate") or given.get("key")):
            yield "letsencrypt", "cannot be given together with a certificate; give one of them"
        yield from together(given, "certificate", "key")
        if given.get("clientauth") and not given.get("clientcas"):
            yield "clientauth", "has no effect without clientcas"
        if (instead := _UNVERIFIED.get(str(given.get("clientauth")))) is not None:
            yield "clientauth", f"certificates that nobody verifies are not taken; use {instead}"
        suites = given.get("ciphersuites")
        if suites and isinstance(suites, list):
            yield from _suites(frozenset(map(str, suites)), str(given.get("minimumtls") or "tls1.2"))


def _suites(wanted: frozenset[str], minimum: str) -> Iterator[tuple[str, str]]:
    """All are offered or none: a list that leaves one out would not be heeded, so it is refused."""
    offered = _OFFERED_BY_1_3 | (_OFFERED_BY_1_2 if minimum == "tls1.2" else frozenset())
    for suite in sorted((wanted & frozenset(CIPHER_SUITES)) - _OFFERED_BY_1_2 - _OFFERED_BY_1_3):
        yield "ciphersuites", f"{suite} is not safe and cannot be offered; take it out"
    if missing := sorted(offered - wanted):
        yield "ciphersuites", f"{', '.join(missing)} cannot be left out; list them too, or leave the key out"
