"""Answers that were given and stand: kept by what was asked, so that the next one costs a look at the store's files.

Must not know what is answered, or the server.
"""

from __future__ import annotations

from entrepot.api.message import Headers, Response
from entrepot.content import Bytes
from entrepot.registry import Hit

_CAPACITY = 16 << 20
"""Bytes in each process; content is mostly shared with the storage's own memory."""

_OVERHEAD = 2048  # of an answer: its headers, and what confirms it
_LARGEST = 64 << 10
_DECIDING = ("range", "if-none-match")
"""Request headers on which an answer depends; if-range without range says nothing."""


class StandingAnswers:
    """Answers to requests that have neither a range nor a condition; GET and HEAD have the same.

    A key is the same for requests that mean the same thing.

    May be used in any thread.
    """

    def __init__(self) -> None:
        self._answers: dict[str, Hit[Response]] = {}
        self._weight = 0

    def find(self, key: str, headers: Headers) -> Response | None:
        """The answer, if it stands now."""
        hit = self._answers.get(key)
        if hit is None or not _is_plain(headers) or not hit.stands():
            return None
        return hit.value

    def keep(self, key: str, headers: Headers, hit: Hit[Response]) -> None:
        """Keep what such a request was answered with."""
        body = hit.value.body
        if body is None:  # the answer to a HEAD, which is none to a GET
            return
        size = len(body.content) if isinstance(body, Bytes) else 0
        if size > _LARGEST or not _is_plain(headers):
            return
        self._weight += len(key) + size + _OVERHEAD
        if self._weight > _CAPACITY:
            # Rare, and cheaper than knowing for each answer when it was used: what is asked for is soon here again.
            self._answers.clear()
            self._weight = 0
        self._answers[key] = hit


def _is_plain(headers: Headers) -> bool:
    for name in _DECIDING:  # noqa: SIM110  # a generator would cost more than the loop
        if headers.get(name) is not None:
            return False
    return True
