"""Addresses to listen on and to connect to."""

from __future__ import annotations

import pytest

from entrepot.config.address import Tcp, Unix, parse_tcp, parse_unix
from entrepot.config.problems import Unfit
from tests.unit.config.reading import MINIMAL, configured, problems


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":5000", Tcp("", 5000)),
        ("", Tcp("", 0)),
        ("localhost:5000", Tcp("localhost", 5000)),
        ("127.0.0.1:0", Tcp("127.0.0.1", 0)),
        ("0.0.0.0:5000", Tcp("0.0.0.0", 5000)),
        ("[::]:5000", Tcp("::", 5000)),
        ("[fe80::1%eth0]:5000", Tcp("fe80::1%eth0", 5000)),
        ("registry.example.org.:65535", Tcp("registry.example.org.", 65535)),
    ],
)
def test_an_address_is_taken_apart(text: str, address: Tcp) -> None:
    """The empty host means every interface and port 0 any free port, as in Go."""
    assert parse_tcp(text) == address


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("localhost", "is not host:port"),
        ("5000", "is not host:port"),
        ("localhost:", "is not a port number"),
        ("localhost:http", "is not a port number"),
        ("localhost:65536", "is not a port number"),
        ("localhost:-1", "is not a port number"),
        ("localhost:٣", "is not a port number"),
        ("::1:5000", "needs brackets"),
        ("[::1:5000", "needs brackets"),
        ("[x]:5000", "is not an IPv6 address"),
        ("http://localhost:5000", "needs brackets"),
        ("local host:5000", "is not a host name"),
        ("*:5000", "is not a host name"),
        ("a" * 300 + ":1", "is not host:port"),
    ],
)
def test_what_is_no_address_is_refused(text: str, message: str) -> None:
    """Ports are numbers, IPv6 stands in brackets."""
    with pytest.raises(Unfit, match=message):
        parse_tcp(text)


def test_a_unix_address_is_the_path() -> None:
    """With `net: unix`, `addr` is a path, whatever it looks like."""
    assert configured(f"{MINIMAL}http: {{net: unix, addr: /run/registry.sock}}").http.listener == Unix(
        "/run/registry.sock"
    )
    assert configured(f"{MINIMAL}http: {{net: unix, addr: 'a:b'}}").http.listener == Unix("a:b")


@pytest.mark.parametrize("path", ["", "a\0b", "x" * 108, "é" * 54])
def test_a_unix_path_must_fit_the_kernel(path: str) -> None:
    """It has 1 to 107 bytes and no NUL."""
    with pytest.raises(Unfit, match="a unix socket needs a path of 1 to 107 bytes"):
        parse_unix(path)


def test_the_configured_address_is_checked_for_its_network() -> None:
    """A bad address is a problem of http.addr, also where other keys of the section are bad."""
    assert problems(f"{MINIMAL}http: {{addr: nowhere, net: udp}}") == [
        "http.net: 'udp' is not one of tcp, unix",
        "http.addr: 'nowhere' is not host:port",
    ]
    assert problems(f"{MINIMAL}http: {{net: unix}}") == ["http.addr: a unix socket needs a path of 1 to 107 bytes"]


def test_what_is_connected_to_needs_a_host_and_a_port() -> None:
    """`:6379` is somewhere to listen, not somewhere to connect to."""
    assert problems(f"{MINIMAL}redis: {{addr: ':6379'}}")[0].startswith("redis.addr: needs a host and a port")
