"""Names and bcrypt hashes in a file, as Apache's htpasswd -B writes it; whoever is in it may do everything."""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import bcrypt

from entrepot.auth.base import Access, Grant, Presented, quoted, refusal
from entrepot.auth.remembered import Remembered
from entrepot.auth.throttle import Throttle
from entrepot.telemetry import get_logger

log = get_logger(__name__)

_HASH = re.compile(rb"\$2[abxy]\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}")
_LONGEST_PASSWORD = 72  # bytes; bcrypt has never looked at more
_LARGEST_FILE = 16 * 1024 * 1024
_REMEMBERED = 300.0  # seconds
_AT_ONCE = 2
"""Passwords under verification; each keeps a processor busy for a tenth of a second."""

_COST = 10

Version = tuple[int, ...] | None
"""Of a file; None where it cannot be looked at."""


class HtpasswdInvalid(ValueError):
    """The file cannot be used; the text says why and holds nothing of what is in it."""


@dataclass(frozen=True, slots=True)
class Entries:
    """What a file holds. `absent` is the hash for names that are not in it, as costly as the others."""

    hashes: Mapping[bytes, bytes]
    absent: bytes


class Htpasswd:
    """One file, read again whenever it has changed; one that cannot be used any more does not take its place."""

    def __init__(self, realm: str, path: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises HtpasswdInvalid."""
        self._challenge = f"Basic realm={quoted(realm)}"
        self._path = path
        self._clock = clock
        version = _version(path)
        # One value, so that no thread sees the entries of one file with the version of another.
        self._file: tuple[Version, Entries] = version, read(path)
        self._remembered = Remembered(clock)
        self._throttle = Throttle(clock)
        self._turns = asyncio.Semaphore(_AT_ONCE)

    def known(self, presented: Presented) -> Grant | None:
        if presented.authorization is None:
            return None
        return self._remembered.find(presented.authorization, _version(self._path))

    async def authorize(self, presented: Presented, wanted: Sequence[Access]) -> Grant:
        credentials = parse_basic(presented.authorization)
        if credentials is None or presented.authorization is None:
            raise refusal(self._challenge, wanted)
        name, password = credentials
        grant = self.known(presented)
        if grant is None:
            async with self._turns:
                # Whoever waited behind a request with the same credentials has them verified now.
                grant = self.known(presented) or await self._judge(presented, name, password)
        if grant is None:
            raise refusal(self._challenge, wanted)
        return grant

    async def _judge(self, presented: Presented, name: bytes, password: bytes) -> Grant | None:
        user = name.decode("utf-8", "backslashreplace")
        # Here and not before the wait for a turn: guesses that come at the same time are to count as others do.
        self._throttle.check(presented.client, user)
        is_right, version = await asyncio.to_thread(self._verify, name, password)
        if not is_right:
            self._throttle.failed(presented.client, user)
            log.warning("login_failed", user=user[:64], client=presented.client)
            return None
        grant = Grant(user)
        self._remembered.keep(presented.authorization or "", version, grant, self._clock() + _REMEMBERED)
        return grant

    def _verify(self, name: bytes, password: bytes) -> tuple[bool, Version]:
        """Whether they are right, and by which version of the file."""
        version, entries = self._current()
        known = entries.hashes.get(name)
        # Who is not in the file is looked at as long as who is: the time must not tell who exists.
        is_right = bcrypt.checkpw(password[:_LONGEST_PASSWORD], entries.absent if known is None else known)
        return is_right and known is not None, version

    def _current(self) -> tuple[Version, Entries]:
        version = _version(self._path)
        seen, entries = current = self._file
        if version != seen:
            try:
                entries = read(self._path)
            except HtpasswdInvalid as error:
                log.error("htpasswd_not_read", path=self._path, error=str(error))
            # One that is no good is not tried again with each request.
            self._file = current = version, entries
        return current


def parse_basic(authorization: str | None) -> tuple[bytes, bytes] | None:
    """Name and password of a Basic authorization (RFC 7617); None where it is none."""
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    name, colon, password = decoded.partition(b":")
    return (name, password) if colon else None


def read(path: str) -> Entries:
    """All of a file. Raises HtpasswdInvalid."""
    try:
        with open(path, "rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise HtpasswdInvalid(f"cannot be read: {error.strerror}") from None
    if len(content) > _LARGEST_FILE:
        raise HtpasswdInvalid(f"is larger than {_LARGEST_FILE} bytes")
    hashes: dict[bytes, bytes] = {}
    for number, line in enumerate(content.splitlines(), 1):
        entry = line.strip()
        if entry and not entry.startswith(b"#"):
            name, colon, hashed = entry.partition(b":")
            if not colon:
                raise HtpasswdInvalid(f"line {number} has no colon: each must be name:hash")
            if _HASH.fullmatch(hashed) is not None:
                hashes[name] = hashed
            else:
                # Such a name is as good as none, and takes as long.
                hashes.pop(name, None)
                log.warning("htpasswd_entry_useless", path=path, line=number, reason="no bcrypt hash (htpasswd -B)")
    salt = bcrypt.gensalt(max((int(hashed[4:6]) for hashed in hashes.values()), default=_COST))
    return Entries(hashes, bcrypt.hashpw(secrets.token_bytes(32), salt))


def provision(path: str) -> tuple[str, str] | None:
    """Make a file where there is none, as Distribution does; its only name and password, or None where there was one.

    Raises HtpasswdInvalid.
    """
    if os.path.lexists(path):
        return None
    name, password = "docker", secrets.token_urlsafe(32)
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(_COST)).decode()
    try:
        os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
        # Whoever came first has said his password.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(f"{name}:{hashed}\n")
            file.flush()
            os.fsync(descriptor)
    except OSError as error:
        if os.path.lexists(path):
            return None
        raise HtpasswdInvalid(f"is not there, and cannot be made: {error.strerror}") from None
    return name, password


def _version(path: str) -> Version:
    """What changes when a file does, also when it is written over and its times are put back."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size
