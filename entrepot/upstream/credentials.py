"""Where credentials for an upstream come from. Knows what they are bound to, not how they are presented."""

from __future__ import annotations

from entrepot.upstream.addresses import Address
from entrepot.upstream.base import Credentials


class StaticCredentials:
    """One name and password from the configuration, for the host of one upstream and no other."""

    def __init__(self, remoteurl: str, username: str, password: str) -> None:
        """Raises ValueError where `remoteurl` is no address of an upstream."""
        self._host = Address.parse(remoteurl).host
        self._credentials = Credentials(username, password)

    def __repr__(self) -> str:
        return f"StaticCredentials({self._host!r}, {self._credentials!r})"

    async def credentials(self, host: str) -> Credentials | None:
        """What was given, where `host` is the upstream's own."""
        return self._credentials if host == self._host else None

    def refused(self, credentials: Credentials) -> None:
        """Nothing to do: there are no others."""
