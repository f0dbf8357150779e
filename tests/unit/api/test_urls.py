"""Locations: where a client is sent next, by the configuration, a proxy's headers, or the request itself."""

import time
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

import pytest

from entrepot.api.urls import Urls
from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName
from tests.unit.api.requests import DIGEST, UPLOAD_ID, request

NAME, BLOB = RepositoryName("library/app"), Digest(DIGEST)
OF_BLOB = f"/v2/library/app/blobs/{DIGEST}"
OWN = "http://registry.example.com:5000"


def location(urls: Urls, headers: Mapping[str, str] | None = None) -> str:
    """Where a blob is said to be."""
    name, value = urls.blob(request("GET", "/v2/", headers), NAME, BLOB)
    assert name == "location"
    return value


@pytest.mark.parametrize(
    ("urls", "expected"),
    [
        (Urls(), OWN + OF_BLOB),
        (Urls(prefix="/hub"), f"{OWN}/hub{OF_BLOB}"),
        (Urls(relative=True), OF_BLOB),
        (Urls(relative=True, prefix="/hub"), f"/hub{OF_BLOB}"),
        (Urls(host="https://hub.example.com"), f"https://hub.example.com{OF_BLOB}"),
        (Urls(host="https://hub.example.com/path", prefix="/hub"), f"https://hub.example.com/path{OF_BLOB}"),
        (Urls(host="https://hub.example.com", relative=True), f"https://hub.example.com{OF_BLOB}"),
    ],
)
def test_the_configuration_decides_what_a_location_looks_like(urls: Urls, expected: str) -> None:
    """A configured host wins over everything; a relative one keeps the prefix, which Distribution forgets."""
    assert location(urls) == expected
    headers = {"X-Forwarded-Host": "other.example.com", "Forwarded": "host=other.example.com;proto=https"}
    if urls.host or urls.relative:
        assert location(urls, headers) == expected


@pytest.mark.parametrize(
    ("headers", "origin"),
    [
        ({}, OWN),
        ({"X-Forwarded-Proto": "https"}, "https://registry.example.com:5000"),
        ({"X-Forwarded-Host": "hub.example.com"}, "http://hub.example.com"),
        ({"X-Forwarded-Proto": "https", "X-Forwarded-Host": "hub.example.com:8443"}, "https://hub.example.com:8443"),
        ({"X-Forwarded-Proto": "HTTPS , http", "X-Forwarded-Host": "a.example, b.example"}, "https://a.example"),
        ({"X-Forwarded-Host": "[2001:db8::1]:5000"}, "http://[2001:db8::1]:5000"),
        ({"Forwarded": "host=hub.example.com"}, "http://hub.example.com"),
        ({"Forwarded": "proto=https"}, "https://registry.example.com:5000"),
        ({"Forwarded": "proto=HTTPS;host=hub.example.com"}, "https://hub.example.com"),
        ({"Forwarded": 'for=192.0.2.1; Proto=https; Host="hub.example.com:8443"'}, "https://hub.example.com:8443"),
        ({"Forwarded": 'host="[2001:db8::1]"'}, "http://[2001:db8::1]"),
        ({"Forwarded": "host=a.example, host=b.example;proto=https"}, "http://a.example"),
        ({"Forwarded": "for=192.0.2.1", "X-Forwarded-Host": "hub.example.com", "X-Forwarded-Proto": "https"}, OWN),
    ],
)
def test_a_proxy_tells_where_the_client_came_in(headers: dict[str, str], origin: str) -> None:
    """`Forwarded` before the older headers, and of a chain of proxies the one the client met."""
    assert location(Urls(), headers) == origin + OF_BLOB
    assert location(Urls(prefix="/hub"), headers) == f"{origin}/hub{OF_BLOB}"


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-Proto": "javascript"},
        {"X-Forwarded-Proto": ""},
        {"X-Forwarded-Host": ""},
        {"X-Forwarded-Host": "evil.example.com/path"},
        {"X-Forwarded-Host": "user@evil.example.com"},
        {"X-Forwarded-Host": "evil.example.com\r\nSet-Cookie: a=b"},
        {"X-Forwarded-Host": "a b"},
        {"X-Forwarded-Host": "é.example.com"},
        {"X-Forwarded-Host": "x" * 301},
        {"Forwarded": ""},
        {"Forwarded": "host="},
        {"Forwarded": "proto=ftp"},
        {"Forwarded": 'host="/evil"'},
        {"Forwarded": "host=é"},
        {"Forwarded": ";;;,,,==="},
        {"Forwarded": "xhost=evil.example.com;x-proto=https"},
        {"Forwarded": "x" * 2000 + ";host=evil.example.com"},
    ],
    ids=lambda headers: ascii(headers)[:50],
)
def test_what_is_no_origin_is_ignored(headers: dict[str, str]) -> None:
    """No header of a client brings anything but a scheme and an authority into an answer."""
    assert location(Urls(), headers) == OWN + OF_BLOB


def test_a_client_that_names_no_host_gets_a_relative_location() -> None:
    """HTTP/1.0 need not send one."""
    nameless = request("GET", "/v2/")
    nameless.authority = ""

    assert Urls(prefix="/hub").blob(nameless, NAME, BLOB) == ("location", f"/hub{OF_BLOB}")


def test_a_location_names_what_it_is_for() -> None:
    """A blob, a manifest, an upload with its state, which is encoded as a query has to be."""
    asked = request("GET", "/v2/")
    state = "jK1-_=="

    assert Urls().manifest(asked, NAME, BLOB)[1] == f"{OWN}/v2/library/app/manifests/{DIGEST}"
    url = urlsplit(Urls().upload(asked, NAME, UPLOAD_ID, state)[1])
    assert url.path == f"/v2/library/app/blobs/uploads/{UPLOAD_ID}"
    assert parse_qs(url.query) == {"_state": [state]}
    assert url.query == "_state=jK1-_%3D%3D"


def test_a_link_to_a_next_page_never_names_a_host() -> None:
    """It keeps the prefix only, as Distribution's does."""
    assert Urls(host="https://hub.example.com", prefix="/hub").path("/v2/_catalog") == "/hub/v2/_catalog"


@pytest.mark.parametrize("text", ["host=", "host = ", 'host="', "proto", "hosthost=", " " * 10, ";host"])
@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-Host", "X-Forwarded-Proto"])
def test_hostile_headers_take_no_time(header: str, text: str) -> None:
    """Whatever is repeated in them."""
    headers = {header: text * 10_000}
    begun = time.process_time()
    for _ in range(20):
        location(Urls(), headers)

    assert time.process_time() - begun < 5
