"""What an operator is told once connections are taken."""

from __future__ import annotations

import tomllib

import pytest

from entrepot.cli.announcement import announcement
from entrepot.server.listener import Address
from tests.real.client_settings import HOSTS, REGISTRIES, documented
from tests.unit.config.reading import MINIMAL, configured

TCP = Address("127.0.0.1", 5000)
HUB = "remoteurl: 'https://registry-1.docker.io'"
FURTHER = "upstreams: [{namespace: 'r:5000', remoteurl: ['https://r:5000', 'https://s']}]"
TLS = "http: {tls: {certificate: c, key: k}}"


def told(text: str, address: Address = TCP) -> dict[str, str]:
    """The lines by their title."""
    found: dict[str, list[str]] = {}
    title = ""
    for line in announcement(configured(f"{MINIMAL}{text}"), address):
        title = line[:15].strip() or title
        found.setdefault(title, []).append(line[15:])
    return {title: "\n".join(lines) for title, lines in found.items()}


def test_a_registry_has_no_lines_for_clients() -> None:
    """They need no configuration for it."""
    assert told("") == {"listening on": "http://127.0.0.1:5000", "data in": "memory"}


def test_a_mirror_tells_each_of_its_upstreams() -> None:
    """With all its URLs, and how repositories of it begin by path."""
    assert told(f"proxy: {{{HUB}, {FURTHER}}}")["mirror of"] == (
        "https://registry-1.docker.io\nhttps://r:5000, https://s as r_5000/"
    )


def test_the_lines_for_podman_name_each_registry_and_its_path_here() -> None:
    """They are TOML as they stand; a registry without TLS is called insecure."""
    assert tomllib.loads(told(f"proxy: {{{HUB}, {FURTHER}}}")["registries"]) == {
        "registry": [
            {"location": "docker.io", "mirror": [{"location": "127.0.0.1:5000", "insecure": True}]},
            {"location": "r:5000", "mirror": [{"location": "127.0.0.1:5000/r_5000", "insecure": True}]},
        ]
    }
    assert "insecure" not in told(f"{TLS}\nproxy: {{{HUB}}}")["registries"]


@pytest.mark.parametrize(("title", "file"), [("hosts.toml", HOSTS), ("registries", REGISTRIES)])
def test_the_lines_for_clients_say_what_the_documentation_says(title: str, file: str) -> None:
    """What containerd and skopeo are shown to pull by is what is printed, for the same file."""
    lines = told("proxy: {upstreams: [{namespace: other.test, remoteurl: 'https://other.test'}]}")[title]

    assert lines.startswith(f"# {file}\n")
    assert tomllib.loads(lines) == tomllib.loads(documented(file, str(TCP), "other.test"))


def test_dockerd_is_told_only_of_a_root() -> None:
    """It asks for nothing but the root's repositories."""
    assert set(told(f"proxy: {{{FURTHER}}}")) == {"listening on", "data in", "mirror of", "hosts.toml", "registries"}


@pytest.mark.parametrize(
    ("address", "url"),
    [
        (Address("::", 5000), "http://localhost:5000"),
        (Address("0.0.0.0", 5000), "http://localhost:5000"),
        (Address("::1", 5000), "http://[::1]:5000"),
    ],
)
def test_clients_are_told_a_url_that_leads_here(address: Address, url: str) -> None:
    """Every interface is this machine; an IPv6 address stands in brackets."""
    lines = told(f"proxy: {{{HUB}}}", address)

    assert lines["listening on"] == url
    assert tomllib.loads(lines["hosts.toml"])["host"] == {url: {"capabilities": ["pull", "resolve"]}}


@pytest.mark.parametrize(("http", "address"), [("", Address(path="/run/s")), ("http: {prefix: /a/}", TCP)])
def test_where_clients_cannot_be_led_they_are_told_nothing(http: str, address: Address) -> None:
    """They know neither sockets nor a path before /v2/."""
    assert set(told(f"{http}\nproxy: {{{HUB}}}", address)) == {"listening on", "data in", "mirror of"}
