"""Fetches a certificate from an ACME service (RFC 8555), by the library of certbot's makers.

Imported only by the process that fetches one: the library takes megabytes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from acme import challenges, crypto_util, errors, messages
from acme.client import ClientNetwork, ClientV2
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from josepy.jwa import ES256
from josepy.jwk import JWKEC
from requests.exceptions import RequestException

from entrepot import __version__
from entrepot.certificates.challenges import ChallengeListener
from entrepot.certificates.shelf import Shelf

_PATIENCE = timedelta(seconds=120)


class NotObtained(Exception):
    """The message says why, in one line."""


@dataclass(frozen=True, slots=True)
class Order:
    """A certificate for `hosts`, of the service at `directory`, whose own certificate `authorities` have signed.

    The service finds the answers to its challenges at port 80 of each host: at `host` and `port` here.
    """

    hosts: Sequence[str]
    directory: str
    email: str
    authorities: str
    host: str
    port: int


def obtain(order: Order, shelf: Shelf) -> None:
    """Put a new certificate and its key on the shelf. Takes seconds to minutes. Raises NotObtained."""
    try:
        _obtain(order, shelf)
    except (errors.Error, messages.Error, RequestException, OSError, ValueError) as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        raise NotObtained(text[:500]) from None


def _obtain(order: Order, shelf: Shelf) -> None:
    client = _client(order, shelf)
    key = ec.generate_private_key(ec.SECP256R1())
    pem = _pem(key)
    asked = client.new_order(crypto_util.make_csr(pem, list(order.hosts)))
    answers: dict[str, str] = {}
    with ChallengeListener(order.host, order.port, answers):
        for one in _open_challenges(asked):
            response, validation = one.response_and_validation(client.net.key)
            answers[one.chall.encode("token")] = validation
            client.answer_challenge(one, response)
        # The library takes a time without a zone for local time.
        deadline = (datetime.now(UTC) + _PATIENCE).astimezone().replace(tzinfo=None)
        finished = client.poll_and_finalize(asked, deadline)
    shelf.keep(finished.fullchain_pem.encode(), pem)


def _client(order: Order, shelf: Shelf) -> ClientV2:
    account = shelf.read_account()
    if account is None:
        account = _pem(ec.generate_private_key(ec.SECP256R1()))
        shelf.keep_account(account)
    key = JWKEC.load(account)
    trusted: Any = order.authorities or os.environ.get("SSL_CERT_FILE") or True
    net = ClientNetwork(key, alg=ES256, verify_ssl=trusted, user_agent=f"entrepot/{__version__}")
    client = ClientV2(ClientV2.get_directory(order.directory, net), net)
    registration = messages.NewRegistration.from_data(email=order.email or None, terms_of_service_agreed=True)
    try:
        client.new_account(registration)
    except errors.ConflictError as known:
        net.account = client.query_registration(
            messages.RegistrationResource(uri=known.location, body=messages.Registration())
        )
    return client


def _open_challenges(asked: messages.OrderResource) -> Iterable[Any]:
    for authorization in asked.authorizations:
        if authorization.body.status == messages.STATUS_VALID:
            continue
        offered = [one for one in authorization.body.challenges if isinstance(one.chall, challenges.HTTP01)]
        if not offered:
            raise ValueError(f"the service offers no HTTP challenge for {authorization.body.identifier.value}")
        yield offered[0]


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
