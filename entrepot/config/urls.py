"""URLs in settings. No error text repeats one, since a URL can hold a password."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pyreqwest.http import Url as ClientUrl

from entrepot.config.problems import Unfit
from entrepot.config.types import as_text

_LONGEST = 2048
_CHARACTERS = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*")  # RFC 3986 §2
_PLACE = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::[0-9]*)?")
_LONGEST_HOST = 253
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,63}")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")


def split_url(text: str) -> SplitResult:
    """An absolute http or https URL with a host, which the HTTP client can take too. Raises Unfit."""
    if len(text) > _LONGEST or not _CHARACTERS.fullmatch(text):
        raise Unfit(f"is not a URL of at most {_LONGEST} characters")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise Unfit("is not a valid URL") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise Unfit("needs a URL that begins with http:// or https:// and names a host")
    if parts.fragment:
        raise Unfit("a fragment (#...) has no meaning here")
    _check_host(text, parts)
    return parts


def _check_host(text: str, parts: SplitResult) -> None:
    place = _PLACE.fullmatch(parts.netloc.rpartition("@")[2])
    if not place or not (_is_address(place[1]) or _is_name(place[1])) or not _is_taken(text):
        raise Unfit("its host is neither a name nor an IP address")


def _is_address(host: str) -> bool:
    try:
        if host.startswith("["):
            return not ipaddress.IPv6Address(host[1:-1]).scope_id
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True


def _is_name(host: str) -> bool:
    labels = host.removesuffix(".").split(".")
    # Clients read a host that ends with a number as an address, which may be another than it seems: 010.1 is 8.0.0.1.
    is_number = _NUMBER.fullmatch(labels[-1])
    return not is_number and len(host) <= _LONGEST_HOST and all(map(_LABEL.fullmatch, labels))


def _is_taken(url: str) -> bool:
    try:
        ClientUrl(url)  # decodes punycode as well
    except ValueError:
        return False
    return True


def _url(value: object) -> str:
    text = as_text(value)
    return split_url(text).geturl() if text else ""


def _base_url(value: object) -> str:
    text = as_text(value)
    if not text:
        return ""
    parts = split_url(text)
    if parts.username is not None or parts.password is not None:
        raise Unfit("credentials do not belong in this URL")
    if parts.query:
        raise Unfit("a query (?...) has no meaning here")
    return parts.geturl()


def _origin(value: object) -> str:
    url = _base_url(value)
    if urlsplit(url).path not in {"", "/"}:
        raise Unfit("takes a scheme and a host only, no path")
    return url


def _base_urls(value: object) -> object:
    if isinstance(value, str):
        return [url] if (url := _base_url(value)) else []
    if isinstance(value, list) and not all(value):
        raise Unfit("holds an empty URL")
    return value


def _http_proxy(value: object) -> str:
    text = as_text(value)
    if not text:
        return ""
    parts = split_url(text)
    if parts.path not in {"", "/"} or parts.query:
        raise Unfit("takes a scheme, credentials and a host only, no path")
    return parts.geturl()


Url = Annotated[str, BeforeValidator(_url)]
"""An http or https URL, or the empty text. It may hold credentials: declare the field with `repr=False`."""

BaseUrl = Annotated[str, BeforeValidator(_base_url)]
"""A URL that others are built on, without credentials or query; or the empty text."""

Origin = Annotated[str, BeforeValidator(_origin)]
"""Scheme and host, or the empty text."""

BaseUrls = Annotated[
    tuple[Annotated[str, BeforeValidator(_base_url), AfterValidator(lambda url: url.rstrip("/"))], ...],
    BeforeValidator(_base_urls),
]
"""One URL as text, or a list of them; each ends without a slash."""

HttpProxy = Annotated[SecretStr, BeforeValidator(_http_proxy)]
"""The URL of a proxy, or the empty text; it may hold credentials."""
