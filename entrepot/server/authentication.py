"""The authenticator that the section `auth` asks for."""

from __future__ import annotations

from importlib import import_module

from entrepot.auth.base import Authenticator
from entrepot.auth.htpasswd import Htpasswd, HtpasswdInvalid, provision
from entrepot.auth.silly import Silly
from entrepot.config.auth import Auth
from entrepot.telemetry import get_logger

log = get_logger(__name__)


class AuthInvalid(Exception):
    """What `auth` names cannot be used; the text begins with the setting."""


def build_authenticator(auth: Auth) -> Authenticator | None:
    """None where everybody may do everything. Raises AuthInvalid."""
    if auth.silly is not None:
        return Silly(auth.silly.realm, auth.silly.service)
    if auth.htpasswd is not None:
        try:
            return Htpasswd(auth.htpasswd.realm, auth.htpasswd.path)
        except HtpasswdInvalid as error:
            raise AuthInvalid(f"auth.htpasswd.path: {auth.htpasswd.path} {error}") from None
    if auth.token is None:
        return None
    try:
        made: Authenticator = import_module("entrepot.server.tokens").build_token(auth.token)
    except ValueError as error:
        raise AuthInvalid(f"auth.token: {error}") from None
    return made


def provision_htpasswd(auth: Auth) -> None:
    """Make the file of names and passwords where it is missing, and say, this once, what is in it."""
    if auth.htpasswd is None:
        return
    try:
        made = provision(auth.htpasswd.path)
    except HtpasswdInvalid as error:
        raise AuthInvalid(f"auth.htpasswd.path: {auth.htpasswd.path} {error}") from None
    if made is not None:
        name, password = made
        log.warning("htpasswd is missing, provisioning with default user", user=name, password=password)
