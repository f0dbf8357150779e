"""Where a server listens: the address made concrete, and the reasons why it can not be had, told in one line."""

from __future__ import annotations

import math
import os
import socket
import stat
from dataclasses import dataclass, replace

from entrepot.config.address import Tcp, Unix, parse_tcp
from entrepot.config.http import Http

BACKLOG = 4096
"""Connections that the kernel keeps for each worker until it accepts them."""

_MAIN, _DEBUG = "http.addr", "http.debug.addr"
_EVERYWHERE = frozenset({"", "::", "0.0.0.0"})  # noqa: S104  # compared, not bound


class StartFailed(Exception):
    """The server cannot start; the message is one line that says what is wrong, where, and what to do."""


@dataclass(frozen=True, slots=True)
class Address:
    """A literal IP address and port, or the path of a unix socket.

    `scope` is the number of the interface whose link-local address it is; `host` ends with `%` and the
    interface where the configuration names it so. `passed` is the number of a socket that a service manager has opened
    there, and keeps open; -1: none has.
    """

    host: str = ""
    port: int = 0
    path: str = ""
    scope: int = 0
    passed: int = -1

    @property
    def is_shared(self) -> bool:
        """Whether all workers have the one socket."""
        return bool(self.path) or self.passed >= 0

    def __str__(self) -> str:
        if self.path:
            return self.path
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def prepare(listener: Tcp | Unix, passed: int | None = None) -> Address:
    """Raises StartFailed. The workers bind later, together (SO_REUSEPORT), so another owner is looked for here.

    A socket that was `passed` takes the place of what is configured.
    """
    if passed is not None:
        return _address_of_passed(passed)
    if isinstance(listener, Unix):
        return _prepare_unix(listener.path)
    address = _resolve(listener.host, listener.port, _MAIN)
    with _bound(address, _MAIN, reuse_port=False) as probe:
        return replace(address, port=probe.getsockname()[1])


def open_debug(http: Http) -> socket.socket | None:
    """The socket of the debug listener, if one is asked for. Raises StartFailed. The caller closes it."""
    if not http.debug.addr:
        return None
    listener = parse_tcp(http.debug.addr)
    if _overlap(listener, http.listener):
        raise StartFailed(f"{_DEBUG}: {http.debug.addr} is taken by http.addr; give another port")
    return _bound(_resolve(listener.host, listener.port, _DEBUG), _DEBUG, reuse_port=False)


def listen(address: Address, reader: float) -> socket.socket:
    """A socket of one worker, beside those of the others. Raises StartFailed. The caller closes it.

    A connection whose client takes nothing for `reader` seconds is ended by the kernel; a unix socket's is not.
    """
    if address.passed >= 0:
        listening = socket.socket(fileno=os.dup(address.passed))
    else:
        listening = _bound(address, _MAIN, reuse_port=True)
    if not address.path:
        # Connections inherit these. The last also ends those that a full window has stopped (tcp(7)).
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, math.ceil(reader * 1000))
    return listening


def _bound(address: Address, key: str, *, reuse_port: bool) -> socket.socket:
    bound = socket.socket(_family(address), socket.SOCK_STREAM)
    try:
        if not address.path:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, reuse_port)
        if address.host == "::":
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        bound.bind(_socket_address(address))
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        raise StartFailed(f"{key}: cannot listen on {address}: {error.strerror or error}") from None
    return bound


def _family(address: Address) -> socket.AddressFamily:
    if address.path:
        return socket.AF_UNIX
    return socket.AF_INET6 if ":" in address.host else socket.AF_INET


def _socket_address(address: Address) -> str | tuple[str, int] | tuple[str, int, int, int]:
    if address.path:
        return address.path
    if ":" in address.host:
        return (address.host, address.port, 0, address.scope)
    return (address.host, address.port)


def address_of(bound: socket.socket) -> Address:
    """Where a TCP socket listens."""
    host, port = bound.getsockname()[:2]
    return Address(host, port)


def _resolve(host: str, port: int, key: str) -> Address:
    if not host:
        return Address("::" if _has_ipv6() else "0.0.0.0", port)  # noqa: S104  # as configured
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise StartFailed(f"{key}: cannot find the host {host!r}: {error.strerror}") from None
    except UnicodeError:  # a label that is empty or too long
        raise StartFailed(f"{key}: {host!r} is not a host name") from None
    _, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    scope = int(address[3]) if len(address) == 4 else 0
    _, percent, interface = host.partition("%")
    return Address(f"{address[0]}{percent}{interface}", port, scope=scope)


def _address_of_passed(number: int) -> Address:
    try:
        with socket.socket(fileno=os.dup(number)) as passed:
            if not passed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                raise StartFailed("the socket that was passed (LISTEN_FDS) does not listen")
            name = passed.getsockname()
    except OSError as error:
        raise StartFailed(f"the socket that was passed (LISTEN_FDS) cannot be used: {error.strerror}") from None
    if isinstance(name, tuple):
        return Address(name[0], name[1], passed=number)
    return Address(path=str(name), passed=number)


def _overlap(one: Tcp, other: Tcp | Unix) -> bool:
    if isinstance(other, Unix) or one.port != other.port or not one.port:
        return False
    return one.host == other.host or bool(_EVERYWHERE & {one.host, other.host})


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
            raise StartFailed(f"http.addr: {path} exists and is not a socket")
        _remove_abandoned(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise StartFailed(f"http.addr: cannot listen on {path}: {error.strerror or error}") from None
    return Address(path=path)


def _remove_abandoned(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            # Left behind by a server that was killed.
            os.unlink(path)
            return
    raise StartFailed(f"http.addr: another server listens on {path}")
