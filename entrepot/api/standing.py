"""Answers that were given and stand: kept by what was asked, so that the next one costs a look at the store's files.

Must not know what is answered, or the server.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from entrepot.api.message import Headers, Response
from entrepot.content import Bytes

_CAPACITY = 16 << 20
"""Bytes in each process; content is mostly shared with the storage's own memory."""

_OVERHEAD = 2048  # of an answer: its headers, and what confirms it
_LARGEST = 64 << 10

Again = Callable[[Headers], Response | None]
"""Answers another request for the same; None where the answer no longer stands, or there is more to the request."""


class Answer(NamedTuple):
    """What a request is answered with, and the next one that differs in its headers alone; None: nobody knows."""

    response: Response
    again: Again | None


class StandingAnswers:
    """Answers by what was asked for; those to a request with a range apart. GET and HEAD have the same.

    A key is the same for requests that mean the same thing.

    May be used in any thread.
    """

    def __init__(self) -> None:
        self._wholes: dict[str, Again] = {}
        self._parts: dict[str, Again] = {}
        self._weight = 0

    def find(self, key: str, headers: Headers) -> Response | None:
        """The answer, if it stands now."""
        again = (self._wholes if headers.get("range") is None else self._parts).get(key)
        return None if again is None else again(headers)

    def keep(self, key: str, headers: Headers, answer: Answer) -> None:
        """Keep what such a request was answered with."""
        body = answer.response.body
        if answer.again is None or body is None:  # the answer to a HEAD is none to a GET
            return
        is_whole = headers.get("range") is None
        size = len(body.content) if is_whole and isinstance(body, Bytes) else 0
        if size > _LARGEST:
            return
        self._weight += len(key) + size + _OVERHEAD
        if self._weight > _CAPACITY:
            # Rare, and cheaper than knowing for each answer when it was used: what is asked for is soon here again.
            self._wholes.clear()
            self._parts.clear()
            self._weight = 0
        (self._wholes if is_whole else self._parts)[key] = answer.again
