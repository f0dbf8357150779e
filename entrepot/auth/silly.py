"""Anybody who says that he is somebody: for tests of clients, as Distribution has it."""

from __future__ import annotations

from collections.abc import Sequence

from entrepot.auth.base import Access, Grant, Presented, quoted, refusal

_GRANT = Grant("silly")


class Silly:
    """Grants everything to whoever presents anything at all."""

    def __init__(self, realm: str, service: str) -> None:
        self._challenge = f"Bearer realm={quoted(realm)},service={quoted(service)}"

    def known(self, presented: Presented) -> Grant | None:
        return _GRANT if presented.authorization else None

    async def authorize(self, presented: Presented, wanted: Sequence[Access]) -> Grant:
        if presented.authorization:
            return _GRANT
        scopes = " ".join(":".join(access) for access in wanted)
        raise refusal(f"{self._challenge},scope={quoted(scopes)}" if wanted else self._challenge, wanted)
