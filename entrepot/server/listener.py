"""Where a server listens: the address made concrete, and the reasons why it can not be had, told in one line."""

from __future__ import annotations

import os
import socket
import stat
from dataclasses import dataclass

from entrepot.config.address import Tcp, Unix


class StartFailed(Exception):
    """The server cannot start; the message is one line that says what is wrong, where, and what to do."""


@dataclass(frozen=True, slots=True)
class Address:
    """A literal IP address and port, or the path of a unix socket."""

    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        if self.path:
            return self.path
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def prepare(listener: Tcp | Unix) -> Address:
    """Raises StartFailed. The workers bind later, together (SO_REUSEPORT), so another owner is looked for here."""
    if isinstance(listener, Unix):
        return _prepare_unix(listener.path)
    family, host = _resolve(listener.host, listener.port)
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, listener.port))
            probe.listen(1)
        except OSError as error:
            raise StartFailed(f"http.addr: cannot listen on {Address(host, listener.port)}: {error.strerror}") from None
        return Address(host, probe.getsockname()[1])


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, str]:
    if not host:
        return (socket.AF_INET6, "::") if _has_ipv6() else (socket.AF_INET, "0.0.0.0")  # noqa: S104  # as configured
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise StartFailed(f"http.addr: cannot find the host {host!r}: {error.strerror}") from None
    family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return family, str(address[0])


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::", 0))
    except OSError:
        return False
    return True


def _prepare_unix(path: str) -> Address:
    path = os.path.abspath(path)
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise StartFailed(f"http.addr: file {path} exists and is not a socket")
    except FileNotFoundError:
        return _require_directory(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError:
            # Left behind by a server that was killed.
            os.unlink(path)
            return _require_directory(path)
    raise StartFailed(f"http.addr: another server listens on {path}")


def _require_directory(path: str) -> Address:
    if not os.access(os.path.dirname(path), os.W_OK | os.X_OK):
        raise StartFailed(f"http.addr: cannot make a socket in {os.path.dirname(path)}: no such directory, or no right")
    return Address(path=path)
