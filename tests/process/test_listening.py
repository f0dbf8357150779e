"""Where the server listens: any free port, IPv6, all addresses; and that it says so when it does."""

import http.client
import ipaddress
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import Serve
from tests.http.http2 import Http2Wire
from tests.http.waiting import wait_until
from tests.http.wire import exchange, request, statuses
from tests.process.command import COMMAND, check_cannot_start, entrepot, write_config
from tests.real.processes import Process, accepts
from tests.servers import ANSWER_LIMIT, IN_MEMORY, choose_port, merge

LISTENING = re.compile(r'msg="listening on ([^"]+)"')


@contextmanager
def running(directory: Path, settings: dict[str, Any]) -> Iterator[str]:
    """A server by the configuration alone; yields the address that its log line names."""
    process = Process([*COMMAND, "serve", str(write_config(directory, merge(IN_MEMORY, settings)))], directory / "log")
    try:
        process.wait_until(lambda: LISTENING.search(process.output()) is not None)
        found = LISTENING.search(process.output())
        assert found is not None
        yield found[1]
    finally:
        assert process.stop() == 0


def ask(host: str, port: int) -> int:
    """The status of `/v2/` there."""
    connection = http.client.HTTPConnection(host, port, timeout=ANSWER_LIMIT)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status
    finally:
        connection.close()


def test_free_port(tmp_path: Path) -> None:
    """Port 0 is any free port; the log names it, and who reads the line can connect at once."""
    with running(tmp_path, {"http": {"addr": "127.0.0.1:0"}}) as address:
        host, _, port = address.rpartition(":")
        assert host == "127.0.0.1"
        assert int(port) > 0
        assert ask(host, int(port)) == 200


def needs_ipv6() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")


def test_ipv6(tmp_path: Path) -> None:
    """An IPv6 address stands in brackets, and only that one listens."""
    needs_ipv6()
    port = choose_port()
    with running(tmp_path, {"http": {"addr": f"[::1]:{port}"}}) as address:
        assert address == f"[::1]:{port}"
        assert ask("::1", port) == 200
        assert not accepts(port)


def link_local() -> str:
    """A link-local address of this machine, with the interface it belongs to."""
    interfaces = Path("/proc/net/if_inet6")
    for line in interfaces.read_text().splitlines() if interfaces.exists() else ():
        digits, _, _, kind, _, interface = line.split()
        if kind == "20":
            return f"{ipaddress.IPv6Address(int(digits, 16))}%{interface}"
    pytest.skip("no interface has a link-local address")


@pytest.mark.parametrize("interface", ["no-such-one", "2147483647"])
def test_link_local_of_no_interface(tmp_path: Path, interface: str) -> None:
    """An interface that is not there, by name or number, is told in one line."""
    path = write_config(tmp_path, {"http": {"addr": f"[fe80::1%{interface}]:5000"}})

    check_cannot_start(entrepot("serve", str(path)), "http.addr", f"fe80::1%{interface}")


def test_link_local(tmp_path: Path) -> None:
    """A link-local address is one of an interface, which is named behind it."""
    host, port = link_local(), choose_port()
    with running(tmp_path, {"http": {"addr": f"[{host}]:{port}"}}) as address:
        assert address == f"[{host}]:{port}"
        assert ask(host, port) == 200


@pytest.mark.parametrize("host", ["", "[::]"])
def test_all_addresses(tmp_path: Path, host: str) -> None:
    """No host means all addresses, IPv4 and IPv6; so does the one that stands for all."""
    needs_ipv6()
    port = choose_port()
    with running(tmp_path, {"http": {"addr": f"{host}:{port}"}}) as address:
        assert address == f"[::]:{port}"
        assert ask("127.0.0.1", port) == 200
        assert ask("::1", port) == 200


def test_all_ipv4_addresses(tmp_path: Path) -> None:
    """`0.0.0.0` is all of IPv4 and nothing else."""
    port = choose_port()
    with running(tmp_path, {"http": {"addr": f"0.0.0.0:{port}"}}) as address:
        assert address == f"0.0.0.0:{port}"
        assert ask("127.0.0.1", port) == 200


def test_name(tmp_path: Path) -> None:
    """A name is resolved once, at the start."""
    port = choose_port()
    with running(tmp_path, {"http": {"addr": f"localhost:{port}"}}) as address:
        assert address in (f"127.0.0.1:{port}", f"[::1]:{port}")
        assert ask("localhost", port) == 200


def test_unix_path_that_is_too_long(tmp_path: Path) -> None:
    """A short path below a directory with a long one: what counts is the whole."""
    directory = tmp_path / ("d" * 120)
    directory.mkdir()
    path = write_config(tmp_path, {"http": {"net": "unix", "addr": "socket"}})

    check_cannot_start(entrepot("serve", str(path), directory=directory), "http.addr", "/socket: AF_UNIX path too long")


def test_endless_drain(tmp_path: Path) -> None:
    """A longer `http.draintimeout` than the kernel can wait is as good as that, and the server ends well."""
    with running(tmp_path, {"http": {"addr": "127.0.0.1:0", "draintimeout": "87600h"}}) as address:
        assert ask("127.0.0.1", int(address.rpartition(":")[2])) == 200


def test_http2_without_tls(serve: Serve) -> None:
    """With `http.h2c.enabled` a client may begin with HTTP/2; HTTP/1.1 is spoken on the same port."""
    server = serve(merge(IN_MEMORY, {"http": {"h2c": {"enabled": True}}}))
    with Http2Wire(server.port) as wire:
        streams = [wire.begin("GET", "/v2/", ended=True) for _ in range(3)]
        assert [wire.status(stream) for stream in streams] == [200, 200, 200]
    with httpx.Client(http1=False, http2=True, trust_env=False, base_url=server.url) as client:
        answer = client.get("/v2/_catalog")
        assert (answer.http_version, answer.status_code) == ("HTTP/2", 200)

    assert statuses(exchange(server.port, request("/v2/"))) == [200, 200]


def test_no_http2_without_tls_by_default(serve: Serve) -> None:
    """Without it, a client that begins with HTTP/2 is left."""
    server = serve(IN_MEMORY)
    with Http2Wire(server.port) as wire:
        assert wire.status(wire.begin("GET", "/v2/", ended=True)) is None


def test_no_upgrade_to_http2(serve: Serve) -> None:
    """`Upgrade: h2c` of HTTP/1.1, which RFC 9113 has given up, is ignored."""
    server = serve(merge(IN_MEMORY, {"http": {"h2c": {"enabled": True}}}))
    lines = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA")

    assert statuses(exchange(server.port, request("/v2/", *lines))) == [200, 200]


def test_many_connections(serve: Serve) -> None:
    """Three hundred connections at once are all answered."""
    server = serve(IN_MEMORY)
    connections = [socket.create_connection(("127.0.0.1", server.port), timeout=ANSWER_LIMIT) for _ in range(300)]
    try:
        for connection in connections:
            connection.sendall(request("/v2/"))
        assert all(connection.recv(12) == b"HTTP/1.1 200" for connection in connections)
    finally:
        for connection in connections:
            connection.close()
    wait_until(server.answers)
