"""URLs in settings."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from entrepot.config.problems import Unfit
from entrepot.config.urls import BaseUrl, split_url
from entrepot.upstream.addresses import Address
from tests.unit.config.reading import MINIMAL, configured, problems

NOT_A_URL = "needs a URL that begins with http:// or https:// and names a host"
NO_HOST = "its host is neither a name nor an IP address"
NO_CHARACTERS = "is not a URL of at most 2048 characters"


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://registry-1.docker.io", "https://registry-1.docker.io"),
        ("http://localhost:5000/", "http://localhost:5000"),
        ("https://[::1]:5000", "https://[::1]:5000"),
        ("https://192.0.2.1:5000", "https://192.0.2.1:5000"),
        ("https://my_registry.example.org.", "https://my_registry.example.org."),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("https://1.example", "https://1.example"),
        (f"https://{'a' * 63}.example", f"https://{'a' * 63}.example"),
        ("HTTPS://example.org/docker/hub/", "https://example.org/docker/hub"),
    ],
)
def test_an_upstream_is_an_http_url(url: str, kept: str) -> None:
    """It may have a port and a path, and is kept without a slash at its end."""
    assert configured(f"{MINIMAL}proxy: {{remoteurl: '{url}'}}").proxy.remoteurl == (kept,)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("registry-1.docker.io", NOT_A_URL),
        ("registry:5000", NOT_A_URL),
        ("ftp://example.org", NOT_A_URL),
        ("https://", NOT_A_URL),
        ("https:///path", NOT_A_URL),
        ("https://example.org:0", NOT_A_URL),
        ("https://example.org:99999", "is not a valid URL"),
        ("https://example.org:port", "is not a valid URL"),
        ("https://[::1", "is not a valid URL"),
        ("https://exam ple.org", NO_CHARACTERS),
        ("https://exämple.org", NO_CHARACTERS),
        ("https://example.org\\x", NO_CHARACTERS),
        ("https://example.org/" + "x" * 2048, NO_CHARACTERS),
        ("https://example.org/#x", "a fragment (#...) has no meaning here"),
        ("https://example.org/?x=y", "a query (?...) has no meaning here"),
        ("https://user:hunter2@example.org", "credentials do not belong in this URL"),
        ("https://user@example.org", "credentials do not belong in this URL"),
    ],
)
def test_what_is_no_base_for_requests_is_refused(url: str, message: str) -> None:
    """The URL itself is not shown: it may hold a password."""
    assert problems(f"{MINIMAL}proxy: {{remoteurl: '{url}'}}") == [f"proxy.remoteurl: {message}"]


@pytest.mark.parametrize(
    "host",
    [
        "256.1.1.1",
        "1.2.3.4.5",
        "1.2.3.4.",
        "010.0.0.1",
        "2130706433",
        "0x7f",
        "a.0x",
        "%zz",
        "a%2fb",
        "a%20b",
        "a..b",
        ".",
        "a" * 64,
        "a." * 127 + "b",
        "a!b",
        "xn--",
        "xn--a",
        "xn--zzzz999999.example",
        "[1::2::3]",
        "[fe80::1%25eth0]",
        "[v1.a]",
        "[::1]x",
        "[::1]@[",
        "[::1]@[]",
    ],
)
def test_a_host_is_a_name_or_an_address(host: str) -> None:
    """What the HTTP client would refuse when the workers start is refused here; nothing is decoded from a host."""
    (problem,) = problems(f"{MINIMAL}proxy: {{remoteurl: 'http://{host}/'}}")

    assert problem in [f"proxy.remoteurl: {reason}" for reason in (NO_HOST, NOT_A_URL, "is not a valid URL")]


@pytest.mark.parametrize("host", ["https://example.org", "https://example.org/", "https://example.org:5000/registry/"])
def test_an_external_host_may_have_a_path_that_ends_with_a_slash(host: str) -> None:
    """Distribution would drop any other path, so that any other is refused."""
    assert configured(f"{MINIMAL}http: {{host: '{host}'}}").http.host == host
    assert problems(f"{MINIMAL}http: {{host: 'https://example.org/x'}}") == ["http.host: a path in it must end with /"]


@given(st.text(st.sampled_from("htps:/@[]#?%.0a\\ \n\u200b")) | st.text())
def test_any_text_is_a_url_or_unfit(text: str) -> None:
    """No text raises anything but Unfit, and what passes has a host."""
    with suppress(Unfit):
        assert split_url(text).hostname


LABELS = st.text("ab01-_x%.", max_size=6) | st.sampled_from(["xn--", "xn--bcher-kva", "255", "0x1", "[::1]", "[1::%1]"])
HOSTS = st.lists(LABELS, max_size=5).map(".".join)
TAILS = st.text("/:?#@.%5a[]", max_size=8)


@given(
    st.builds(
        "{}://{}{}{}".format,
        st.sampled_from(["http", "HTTPS"]),
        st.sampled_from(["", "a@", "[::1]@", "[@"]),
        HOSTS,
        TAILS,
    )
)
def test_the_upstream_takes_what_the_configuration_takes(text: str) -> None:
    """A URL that is called valid cannot stop the workers later."""
    with suppress(ValidationError):
        url = TypeAdapter(BaseUrl).validate_python(text)
        assert Address.parse(url).host
