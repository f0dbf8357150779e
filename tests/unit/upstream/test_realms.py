"""Which token services may see an upstream's credentials."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyreqwest.http import Url

from entrepot.oci.errors import UpstreamFailed
from entrepot.upstream.addresses import Address
from entrepot.upstream.realms import trusted_realm
from tests.unit.adversarial import outcome


@pytest.mark.parametrize(
    ("upstream", "realm"),
    [
        ("https://registry-1.docker.io", "https://auth.docker.io/token"),
        ("https://index.docker.io", "https://auth.docker.io/token"),
        ("https://nvcr.io", "https://nvcr.io/proxy_auth"),
        ("https://nvcr.io", "https://authn.nvidia.com/token"),
        ("https://registry.gitlab.com", "https://gitlab.com/jwt/auth"),
        ("https://ghcr.io", "https://ghcr.io/token"),
        ("https://quay.io", "https://quay.io/v2/auth"),
        ("https://quay.io", "HTTPS://QUAY.IO./v2/auth"),
        ("https://gitlab.example.com:5050", "https://gitlab.example.com/jwt/auth"),
        ("http://registry.example.com", "http://registry.example.com/token"),
        ("http://registry.example.com", "https://registry.example.com/token"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000/token"),
        ("http://127.0.0.1:5000", "http://127.1:5000/token"),
        ("http://localhost:5000", "http://localhost:5000/token"),
        ("https://10.0.0.1", "https://10.0.0.1:443/token"),
        ("http://169.254.169.254", "http://169.254.169.254/token"),
    ],
)
def test_trusted(upstream: str, realm: str) -> None:
    """The upstream's own host is trusted, and the hosts that are known to serve it."""
    assert trusted_realm(realm, Address.parse(upstream)) == Url(realm)


@pytest.mark.parametrize(
    ("upstream", "realm"),
    [
        ("https://registry-1.docker.io", "https://evil.example/token"),
        ("https://registry-1.docker.io", "https://auth.docker.io.evil.example/token"),
        ("https://registry-1.docker.io", "https://evil-auth.docker.io/token"),
        ("https://registry-1.docker.io", "https://docker.io/token"),
        ("https://registry-1.docker.io", "http://auth.docker.io/token"),
        ("https://registry-1.docker.io", "http://registry-1.docker.io/token"),
        ("https://registry-1.docker.io", "https://user:pass@auth.docker.io/token"),
        ("https://registry-1.docker.io", "https://auth.docker.io@evil.example/token"),
        ("https://registry-1.docker.io", "https://evil.example\\@auth.docker.io/token"),
        ("https://registry-1.docker.io", "https://evil.example#@auth.docker.io/token"),
        ("https://registry-1.docker.io", "https://evil.example?@auth.docker.io/token"),
        ("https://registry-1.docker.io", "https://169.254.169.254/latest"),
        ("https://registry-1.docker.io", "https://127.0.0.1/token"),
        ("https://registry-1.docker.io", "https://2130706433/token"),
        ("https://registry-1.docker.io", "ftp://auth.docker.io/token"),
        ("https://registry-1.docker.io", "/token"),
        ("https://registry-1.docker.io", "//auth.docker.io/token"),
        ("https://registry-1.docker.io", "token"),
        ("https://registry-1.docker.io", "x://https://auth.docker.io"),
        ("https://registry-1.docker.io", ""),
        ("https://ghcr.io", "https://auth.docker.io/token"),
        ("https://ghcr.io", "https://github.io/token"),
        ("https://a.example.co.uk", "https://b.example.co.uk/token"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5001/token"),
        ("http://127.0.0.1:5000", "http://127.0.0.1/token"),
        ("http://127.0.0.1:5000", "http://localhost:5000/token"),
        ("http://127.0.0.1:5000", "http://127.0.0.2:5000/token"),
        ("http://127.0.0.1:5000", "http://[::ffff:127.0.0.1]:5000/token"),
        ("http://localhost:5000", "http://localhost:5001/token"),
        ("https://10.0.0.1", "https://10.0.0.1:8443/token"),
    ],
)
def test_refused(upstream: str, realm: str) -> None:
    """Any other host, however alike, a plain-text or relative realm and one with a user name are refused."""
    with pytest.raises(UpstreamFailed):
        trusted_realm(realm, Address.parse(upstream))


def test_listed_by_the_operator() -> None:
    """Hosts that the operator lists are trusted, over https and in public only."""
    address = Address.parse("https://registry.example.com")

    assert trusted_realm("https://sso.example.net/token", address, {"sso.example.net"})
    for realm in ("http://sso.example.net/token", "https://127.0.0.1/token", "https://sso.example.net.evil/token"):
        with pytest.raises(UpstreamFailed):
            trusted_realm(realm, address, {"sso.example.net", "127.0.0.1"})


@given(st.text())
def test_total(realm: str) -> None:
    """Any text is refused or leads to a host that is known."""
    url = outcome(lambda text: trusted_realm(text, Address.parse("https://quay.io")), realm, UpstreamFailed)

    assert url is UpstreamFailed or (isinstance(url, Url) and url.host_str == "quay.io")
