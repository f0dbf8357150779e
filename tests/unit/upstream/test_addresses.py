"""Where an upstream is, and which other places may be asked on its word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyreqwest.http import Url

from entrepot.upstream.addresses import Address, NotAllowed, Zone, is_near, join, zone_of
from tests.unit.adversarial import in_linear_time, outcome, repeated


@pytest.mark.parametrize(
    ("remoteurl", "host", "endpoint"),
    [
        ("https://registry-1.docker.io", "registry-1.docker.io", "https://registry-1.docker.io/v2/a/tags/list"),
        ("https://registry-1.docker.io/", "registry-1.docker.io", "https://registry-1.docker.io/v2/a/tags/list"),
        ("http://localhost:5000", "localhost:5000", "http://localhost:5000/v2/a/tags/list"),
        ("https://h:443/", "h", "https://h/v2/a/tags/list"),
        ("https://h/mirror/of/hub/", "h", "https://h/mirror/of/hub/v2/a/tags/list"),
        ("HTTPS://H/", "h", "https://h/v2/a/tags/list"),
        ("https://[2001:db8::1]:5000", "[2001:db8::1]:5000", "https://[2001:db8::1]:5000/v2/a/tags/list"),
    ],
)
def test_address(remoteurl: str, host: str, endpoint: str) -> None:
    """A remote URL with or without port, path and final slash leads to the API below it."""
    address = Address.parse(remoteurl)

    assert address.host == host
    assert str(address.endpoint("/v2/a/tags/list")) == endpoint


def test_query_is_escaped() -> None:
    """Parameters of an endpoint are escaped."""
    url = Address.parse("https://h").endpoint("/v2/", {"artifactType": "a/b+c&d=e"})

    assert url.query_pairs == [("artifactType", "a/b+c&d=e")]


@pytest.mark.parametrize(
    "remoteurl",
    [
        "",
        "registry-1.docker.io",
        "//registry-1.docker.io",
        "ftp://h",
        "file:///etc/passwd",
        "https://",
        "https://user:password@h",
        "https://user@h",
        "https://h/?a=b",
        "https://h/#a",
        "https://h:99999",
        "https://a b/",
        "https://h/\n",
        "https://h\u00e4/",
        "https://" + "h" * 10_000,
    ],
)
def test_no_address(remoteurl: str) -> None:
    """What is no plain http or https URL is refused with a reason that shows no password."""
    with pytest.raises(ValueError, match=r"must|URL") as refusal:
        Address.parse(remoteurl)

    assert "password" not in str(refusal.value).replace("username and password", "")


@pytest.mark.parametrize(
    ("url", "zone"),
    [
        ("https://auth.docker.io", Zone.PUBLIC),
        ("https://8.8.8.8", Zone.PUBLIC),
        ("https://[2600::1]", Zone.PUBLIC),
        ("https://localhost.example.com", Zone.PUBLIC),
        ("http://localhost", Zone.LOOPBACK),
        ("http://localhost.", Zone.LOOPBACK),
        ("http://LOCALHOST", Zone.LOOPBACK),
        ("http://a.localhost", Zone.LOOPBACK),
        ("http://127.0.0.1", Zone.LOOPBACK),
        ("http://127.1", Zone.LOOPBACK),
        ("http://2130706433", Zone.LOOPBACK),
        ("http://017700000001", Zone.LOOPBACK),
        ("http://0x7f.0.0.1", Zone.LOOPBACK),
        ("http://0x7f000001", Zone.LOOPBACK),
        ("http://%31%32%37.0.0.1", Zone.LOOPBACK),
        ("http://0.0.0.0", Zone.LOOPBACK),
        ("http://0", Zone.LOOPBACK),
        ("http://[::1]", Zone.LOOPBACK),
        ("http://[::]", Zone.LOOPBACK),
        ("http://[::ffff:127.0.0.1]", Zone.LOOPBACK),
        ("http://[64:ff9b::7f00:1]", Zone.LOOPBACK),
        ("http://[2002:7f00:1::]", Zone.LOOPBACK),
        ("http://10.0.0.1", Zone.PRIVATE),
        ("http://172.16.0.1", Zone.PRIVATE),
        ("http://192.168.0.1", Zone.PRIVATE),
        ("http://100.64.0.1", Zone.PRIVATE),
        ("http://[fd00::1]", Zone.PRIVATE),
        ("http://[::ffff:10.0.0.1]", Zone.PRIVATE),
        ("http://224.0.0.1", Zone.PRIVATE),
        ("http://255.255.255.255", Zone.PRIVATE),
        ("http://169.254.1.1", Zone.LINK_LOCAL),
        ("http://[fe80::1]", Zone.LINK_LOCAL),
        ("http://169.254.169.254", Zone.METADATA),
        ("http://2852039166", Zone.METADATA),
        ("http://0xA9FEA9FE", Zone.METADATA),
        ("http://[::ffff:169.254.169.254]", Zone.METADATA),
        ("http://[fd00:ec2::254]", Zone.METADATA),
        ("http://100.100.100.200", Zone.METADATA),
        ("http://168.63.129.16", Zone.METADATA),
        ("http://metadata.google.internal", Zone.METADATA),
        ("http://metadata.google.internal.", Zone.METADATA),
    ],
)
def test_zones(url: str, zone: Zone) -> None:
    """Every spelling of an address is seen for what it is."""
    assert zone_of(Url(url)) is zone


@pytest.mark.parametrize(
    ("upstream", "target", "expected"),
    [
        ("https://registry-1.docker.io", "https://production.cloudflare.docker.com/x", True),
        ("https://registry-1.docker.io", "https://127.0.0.1/x", False),
        ("https://registry-1.docker.io", "https://10.0.0.1/x", False),
        ("https://registry-1.docker.io", "https://169.254.169.254/x", False),
        ("https://registry-1.docker.io", "https://localhost/x", False),
        ("https://registry-1.docker.io", "https://168.63.129.16/x", False),
        ("http://10.0.0.1:5000", "http://10.0.0.2:9000/x", True),
        ("http://10.0.0.1:5000", "http://127.0.0.1/x", False),
        ("http://10.0.0.1:5000", "http://8.8.8.8/x", True),
        ("http://127.0.0.1:5000", "http://127.0.0.1:9000/x", True),
        ("http://localhost:5000", "http://[::1]:9000/x", True),
        ("http://127.0.0.1:5000", "http://10.0.0.1/x", False),
        ("http://169.254.1.1", "http://169.254.169.254/x", False),
        ("http://169.254.169.254", "http://169.254.169.254:81/x", True),
    ],
)
def test_near(upstream: str, target: str, expected: bool) -> None:
    """Public places may be reached, and places no nearer to us than the upstream itself; metadata services never."""
    assert is_near(Url(target), Address.parse(upstream)) is expected


BASE = Url("https://h:5000/v2/a/blobs/x?y=z")


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("https://cdn.example/x?Signature=a%2Bb", "https://cdn.example/x?Signature=a%2Bb"),
        ("/x", "https://h:5000/x"),
        ("x", "https://h:5000/v2/a/blobs/x"),
        ("../../../../x", "https://h:5000/x"),
        ("?n=1", "https://h:5000/v2/a/blobs/x?n=1"),
        ("//cdn.example/x", "https://cdn.example/x"),
        ("\\\\cdn.example\\x", "https://cdn.example/x"),
        ("/x#fragment", "https://h:5000/x"),
        ("https://127.0.0.1\\@cdn.example/", "https://127.0.0.1/@cdn.example/"),
        ("", "https://h:5000/v2/a/blobs/x?y=z"),
    ],
)
def test_joined(reference: str, expected: str) -> None:
    """Relative and absolute references are resolved as browsers and the HTTP client do."""
    assert str(join(BASE, reference)) == expected


@pytest.mark.parametrize(
    "reference",
    [
        "file:///etc/passwd",
        "gopher://h/",
        "ftp://h/x",
        "javascript:alert(1)",
        "data:text/plain,x",
        "https://user@h/",
        "https://user:password@h/",
        "https://h:99999/",
        "https://",
        "/x\r\nX: y",
        "/\u00e4",
        "/" + "x" * 10_000,
    ],
)
def test_not_joined(reference: str) -> None:
    """Other schemes, user names and what no URL holds are refused."""
    with pytest.raises(NotAllowed):
        join(BASE, reference)


@given(st.text())
def test_join_is_total(reference: str) -> None:
    """Any text gives an http or https URL or NotAllowed."""
    url = outcome(lambda text: join(BASE, text), reference, NotAllowed)

    assert url is NotAllowed or (isinstance(url, Url) and url.scheme in ("http", "https") and not url.username)


@given(st.text())
def test_address_is_total(remoteurl: str) -> None:
    """Any text gives an address or ValueError."""
    outcome(Address.parse, remoteurl, ValueError)


@given(st.ip_addresses())
def test_zone_is_total(ip: object) -> None:
    """Every address has a zone."""
    text = str(ip)
    assert isinstance(zone_of(Url(f"http://[{text}]/" if ":" in text else f"http://{text}/")), Zone)


@pytest.mark.parametrize("text", repeated("http://", "a", "/", "@", ":", "..", "%41", "\\"), ids=len)
def test_linear(text: str) -> None:
    """A mebibyte is refused in linear time."""
    with in_linear_time(), pytest.raises(NotAllowed):
        join(BASE, text)
