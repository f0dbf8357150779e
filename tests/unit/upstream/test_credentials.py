"""Credentials from the configuration."""

import pytest

from entrepot.upstream.base import Credentials
from entrepot.upstream.credentials import StaticCredentials


async def test_bound_to_the_upstream() -> None:
    """They are for the upstream's host with its port, and for no other."""
    source = StaticCredentials("https://registry.example:5000/path", "user", "planted")

    assert await source.credentials("registry.example:5000") == Credentials("user", "planted")
    for host in ("registry.example", "registry.example:5001", "evil.example:5000", ""):
        assert await source.credentials(host) is None


def test_not_shown() -> None:
    """Neither repr nor str shows the password."""
    source = StaticCredentials("https://registry.example", "user", "planted")

    assert "planted" not in f"{source!r} {source} {Credentials('user', 'planted')!r} {Credentials('user', 'planted')}"


def test_no_address() -> None:
    """They can not be bound to what is no upstream."""
    with pytest.raises(ValueError, match="http"):
        StaticCredentials("ftp://registry.example", "user", "planted")
