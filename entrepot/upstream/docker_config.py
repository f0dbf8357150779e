"""Credentials from a `config.json` as `docker login` writes it: kept there, or in the helpers that it names."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import os
import re
from dataclasses import dataclass, field
from typing import Any

from entrepot.telemetry import get_logger
from entrepot.upstream.addresses import Address
from entrepot.upstream.base import Credentials
from entrepot.upstream.helper_credentials import HelperCredentials

_LARGEST_FILE = 1024 * 1024
_HUB_KEY = "https://index.docker.io/v1/"
_HUB_HOSTS = frozenset({"registry-1.docker.io", "index.docker.io", "docker.io"})
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Login:
    """What a file says of one host: credentials, a helper that is to be asked before, or neither."""

    credentials: Credentials | None = field(default=None, repr=False)
    helper: str | None = None


class DockerConfigCredentials:
    """The credentials for the host of one upstream; the file is read again when it has changed.

    A file that can not be read is logged once for each change, and means anonymous.
    """

    def __init__(self, remoteurl: str, path: str, lifetime: float = 300.0) -> None:
        """`lifetime` is how long what a helper gives is kept, in seconds.

        Raises ValueError where `remoteurl` is no address of an upstream.
        """
        self._host = Address.parse(remoteurl).host
        self._remoteurl = remoteurl
        self._path = path
        self._lifetime = lifetime
        self._state: tuple[int, ...] | None = ()
        self._login = Login()
        self._helper: HelperCredentials | None = None
        self._turn = asyncio.Lock()

    async def credentials(self, host: str) -> Credentials | None:
        """What the file says, where `host` is the upstream's own; a helper comes before what the file holds itself."""
        if host != self._host:
            return None
        async with self._turn:
            state = await asyncio.to_thread(_state_of, self._path)
            if state != self._state:
                self._state, self._login = state, await asyncio.to_thread(self._read)
                self._helper = self._make_helper(self._login.helper)
        given = None if self._helper is None else await self._helper.credentials(host)
        return given or self._login.credentials

    def refused(self, credentials: Credentials) -> None:
        """Ask a helper again; the file itself is looked at each time anyway."""
        if self._helper is not None:
            self._helper.refused(credentials)

    def _make_helper(self, suffix: str | None) -> HelperCredentials | None:
        if suffix is None:
            return None
        command = f"docker-credential-{suffix}"
        return HelperCredentials(self._remoteurl, command, self._lifetime, server=key_of(self._host))

    def _read(self) -> Login:
        try:
            with open(self._path, "rb") as file:
                content = file.read(_LARGEST_FILE + 1)
            return parse_login(content, self._host)
        except OSError as error:
            reason = error.strerror or "can not be read"
        except ValueError as error:
            reason = str(error)
        _log.warning("upstream_credentials_failed", path=self._path, reason=reason)
        return Login()


def _state_of(path: str) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def key_of(host: str) -> str:
    """The name under which Docker keeps the credentials for `host`."""
    return _HUB_KEY if host in _HUB_HOSTS else host


def parse_login(content: bytes, host: str) -> Login:
    """What a file says of `host`. Raises ValueError, without anything of the content, where it is no such file."""
    if len(content) > _LARGEST_FILE:
        raise ValueError(f"larger than {_LARGEST_FILE} bytes")
    try:
        members = json.loads(content)
    except (ValueError, RecursionError):
        raise ValueError("no JSON") from None
    if not isinstance(members, dict):
        raise ValueError("no JSON object")  # noqa: TRY004  the content is wrong, not the caller
    suffix = _entry(members.get("credHelpers"), host) or members.get("credsStore")
    if suffix and not (isinstance(suffix, str) and _HELPER.fullmatch(suffix)):
        raise ValueError("names a credential helper that can be none")
    return Login(_credentials(_entry(members.get("auths"), host)), suffix or None)


def _entry(entries: Any, host: str) -> Any:
    """The entry for a host: under its very name or, as older programs wrote them, a URL with it."""
    if not isinstance(entries, dict):
        return None
    if key_of(host) in entries:
        return entries[key_of(host)]
    named = (value for key, value in entries.items() if _host_of(key) == host)
    return next(named, None)


def _host_of(key: str) -> str:
    return key.removeprefix("https://").removeprefix("http://").partition("/")[0]


def _credentials(entry: Any) -> Credentials | None:
    if not isinstance(entry, dict):
        return None
    token, username, password = (entry.get(key) for key in ("identitytoken", "username", "password"))
    if isinstance(token, str) and token:
        return Credentials("", "", token)
    if isinstance(username, str) and username and isinstance(password, str):
        return Credentials(username, password)
    return _decode(entry.get("auth"))


def _decode(auth: Any) -> Credentials | None:
    if not isinstance(auth, str) or not auth:
        return None
    try:
        username, colon, password = base64.b64decode(auth, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise ValueError("an auth is no base64") from None
    # Docker pads what it writes with NUL.
    return Credentials(username, password.rstrip("\0")) if colon and username else None
