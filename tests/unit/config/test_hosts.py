"""Namespaces, domains and the names of hosts."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.config.hosts import component_of, domain_of, parse_namespace
from entrepot.config.problems import Unfit
from entrepot.oci.names import RepositoryName
from tests.unit.config.reading import MINIMAL, configured, problems


@pytest.mark.parametrize(
    ("namespace", "component"),
    [
        ("ghcr.io", "ghcr.io"),
        ("registry:5000", "registry_5000"),
        ("127.0.0.1:65535", "127.0.0.1_65535"),
        ("my--registry.xn--bcher-kva.example", "my--registry.xn--bcher-kva.example"),
        ("a" * 128, "a" * 128),
    ],
)
def test_a_namespace_is_a_host_that_can_begin_a_name(namespace: str, component: str) -> None:
    """Its colon becomes `_`, and what comes of it is a component of a repository's name."""
    assert component_of(parse_namespace(namespace)) == component
    assert RepositoryName.parse(f"{component}/a")


@pytest.mark.parametrize(
    "namespace",
    [
        *("", ".", "a.", ".a", "a..b", "-a", "a-", "a.-b", "a_b", "GHCR.io", "a/b", "a b", "ä", "a\n", "*", "a" * 129),
        *("a:", ":5000", "a:0", "a:05", "a:65536", "a:x", "a:1:2", "[::1]:5000", "https://ghcr.io", "user@host"),
    ],
)
def test_anything_else_is_no_namespace(namespace: str) -> None:
    """Neither a URL, nor a path, nor what would be another namespace's component."""
    with pytest.raises(Unfit, match="is not a host in lower case"):
        parse_namespace(namespace)


@given(st.from_regex(r"\A[a-z0-9.:_-]{1,20}\Z") | st.text())
def test_any_namespace_is_a_component_of_its_own(text: str) -> None:
    """Whatever passes can begin a name, and says which namespace it came from."""
    with suppress(Unfit):
        component = component_of(parse_namespace(text))
        assert RepositoryName.parse(component) == component
        assert component.replace("_", ":") == text


@pytest.mark.parametrize(
    ("url", "domain"),
    [
        ("https://registry-1.docker.io", "docker.io"),
        ("https://index.docker.io:443/x", "docker.io"),
        ("https://docker.io", "docker.io"),
        ("https://GHCR.io.", "ghcr.io"),
        ("https://ghcr.io:443", "ghcr.io"),
        ("http://ghcr.io:443", "ghcr.io:443"),
        ("http://127.0.0.1:80/registry", "127.0.0.1"),
        ("http://127.0.0.1:5000", "127.0.0.1:5000"),
        ("https://[2001:db8::1]:5000", "[2001:db8::1]:5000"),
    ],
)
def test_a_domain_is_what_images_begin_with(url: str, domain: str) -> None:
    """Host and port, but for a port that goes without saying and for the other names of Docker Hub."""
    assert domain_of(url) == domain


def test_realms_are_names_of_hosts() -> None:
    """They are compared as the HTTP client writes them: in lower case, without a final dot."""
    text = f"{MINIMAL}proxy: {{remoteurl: 'https://a', realms: [%s]}}"

    assert configured(text % "Auth.Example.org., b").proxy.realms == ("auth.example.org", "b")
    for realm in ("'https://a'", "'a:443'", "a/b", "''", "a_b", "[a]", "'[::1]'", "a" * 254):
        (problem,) = problems(text % realm)
        assert problem.startswith("proxy.realms[0]: ")
