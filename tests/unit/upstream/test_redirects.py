"""Where a redirect may lead, and what goes along."""

import pytest
from pyreqwest.http import Url

from entrepot.oci.errors import UpstreamFailed
from entrepot.upstream.addresses import Address
from entrepot.upstream.message import Head, Request
from entrepot.upstream.redirects import is_redirect, next_request

HUB = Address.parse("https://registry-1.docker.io")
SECRET = "Bearer planted"
HEADERS = (("Range", "bytes=5-"), ("Accept", "*/*"))
START = Request("GET", HUB.endpoint("/v2/a/blobs/x"), HEADERS, SECRET)


def _answer(location: str | None, *, status: int = 307, url: Url = START.url) -> Head:
    return Head(status, url, lambda name: [location] if name == "Location" and location is not None else [])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_method_range_and_accept_are_kept(status: int) -> None:
    """Whatever the redirect's status, the same question is asked elsewhere."""
    moved = next_request(START, _answer("https://cdn.example/x?Signature=a", status=status), HUB)

    assert (moved.method, moved.headers) == ("GET", HEADERS)
    assert str(moved.url) == "https://cdn.example/x?Signature=a"


@pytest.mark.parametrize("status", [200, 206, 300, 304, 305, 306, 401, 404])
def test_no_redirects(status: int) -> None:
    """Other statuses send us nowhere."""
    assert not is_redirect(_answer("https://cdn.example/x", status=status))


@pytest.mark.parametrize(
    "location",
    [
        "https://cdn.example/x",
        "https://auth.docker.io/x",
        "https://registry-1.docker.io:8443/x",
        "https://registry-1.docker.io.evil.example/x",
        "//cdn.example/x",
    ],
)
def test_credentials_stay_behind(location: str) -> None:
    """Another host or port gets no credentials."""
    assert next_request(START, _answer(location), HUB).authorization is None


@pytest.mark.parametrize(
    "location", ["/x", "x", "https://registry-1.docker.io/x", "https://registry-1.docker.io:443/x"]
)
def test_credentials_go_along_within_one_origin(location: str) -> None:
    """The same scheme, host and port keep the credentials."""
    assert next_request(START, _answer(location), HUB).authorization == SECRET


def test_credentials_are_not_restored_on_the_way_back() -> None:
    """A detour through another host costs the credentials for good."""
    away = next_request(START, _answer("https://cdn.example/x"), HUB)
    back = next_request(away, _answer(str(START.url), url=away.url), HUB)

    assert back.url == START.url
    assert back.authorization is None


def test_another_scheme_is_another_origin() -> None:
    """From http up to https is allowed, without the credentials."""
    address = Address.parse("http://registry.example")
    request = Request("GET", address.endpoint("/v2/"), authorization=SECRET)

    assert next_request(request, _answer("https://registry.example/v2/"), address).authorization is None


@pytest.mark.parametrize(
    "location",
    [
        None,
        "http://registry-1.docker.io/x",
        "http://cdn.example/x",
        "file:///etc/passwd",
        "gopher://cdn.example/x",
        "javascript:x",
        "https://user:password@cdn.example/x",
        "https://user@registry-1.docker.io/x",
        "https://127.0.0.1/x",
        "https://127.1/x",
        "https://2130706433/x",
        "https://0x7f000001/x",
        "https://0177.0.0.1/x",
        "https://[::1]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://localhost/x",
        "https://localhost./x",
        "https://10.0.0.1/x",
        "https://192.168.1.1/x",
        "https://[fd00::1]/x",
        "https://169.254.169.254/latest/meta-data/",
        "https://[fe80::1]/x",
        "https://metadata.google.internal/x",
        "https://cdn.example/" + "x" * 300_000,
        "https://cdn.example/\r\nAuthorization: x",
        "https://cdn.example:99999/",
        "https://",
    ],
)
def test_refused(location: str | None) -> None:
    """Downgrades, odd schemes, user names, what is near to us and what is no URL: 502, and nothing is sent."""
    with pytest.raises(UpstreamFailed) as refusal:
        next_request(START, _answer(location), HUB)

    assert refusal.value.status == 502
    assert location is None or location not in str(refusal.value)


def test_no_downgrade_on_a_later_hop() -> None:
    """Having once been on https, the way never leads back to http."""
    address = Address.parse("http://registry.example")
    first = next_request(Request("GET", address.endpoint("/v2/")), _answer("https://cdn.example/"), address)
    with pytest.raises(UpstreamFailed):
        next_request(first, _answer("http://cdn.example/", url=first.url), address)


def test_a_request_shows_no_credentials() -> None:
    """Neither repr nor str of a request shows what it is authorized with."""
    assert "planted" not in f"{START!r} {START}"
