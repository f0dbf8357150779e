"""The authenticator of `auth.token`. Imported only where it is asked for: its libraries take megabytes of memory."""

from __future__ import annotations

from entrepot.auth.keys import TrustedKeys
from entrepot.auth.token import Token
from entrepot.config.auth import Token as Settings


def build_token(settings: Settings) -> Token:
    """Raises ValueError where the keys it names cannot be used."""
    return Token(
        TrustedKeys.read(settings.rootcertbundle, settings.jwks),
        realm=settings.realm,
        service=settings.service,
        issuer=settings.issuer,
        algorithms=settings.signingalgorithms,
        redirect_path=settings.autoredirectpath if settings.autoredirect else "",
    )
