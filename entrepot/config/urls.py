"""URLs in settings. No error text repeats one, since a URL can hold a password."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import BeforeValidator

from entrepot.config.problems import Unfit
from entrepot.config.types import as_text

_LONGEST = 2048
_CHARACTERS = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*")  # RFC 3986 §2


def split_url(text: str) -> SplitResult:
    """An absolute http or https URL with a host. Raises Unfit."""
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
    return parts


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


Url = Annotated[str, BeforeValidator(_url)]
"""An http or https URL, or the empty text. It may hold credentials: declare the field with `repr=False`."""

BaseUrl = Annotated[str, BeforeValidator(_base_url)]
"""A URL that others are built on, without credentials or query; or the empty text."""

Origin = Annotated[str, BeforeValidator(_origin)]
"""Scheme and host, or the empty text."""
