"""Habits of well-known registries that are no faults: what a test upstream can be told to do as they do."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from entrepot.testing.demands import BasicDemand, basic_header
from entrepot.testing.faults import Fault, Reply
from entrepot.testing.origins import Seen


def rate_headers(limit: int, remaining: int, window: int = 21_600, source: str = "127.0.0.1") -> Fault:
    """Say how many pulls there are and how many are left, as Docker Hub does."""
    lines = (
        ("ratelimit-limit", f"{limit};w={window}"),
        ("ratelimit-remaining", f"{remaining};w={window}"),
        ("docker-ratelimit-source", source),
    )
    return lambda reply: replace(reply, headers=(*reply.headers, *lines))


class PullLimit:
    """Docker Hub: GETs of manifests count, HEADs do not; when none are left, everything is answered with 429.

    Stands at the door as a Demand. `refill` makes them `limit` again.
    """

    def __init__(self, limit: int, *, retry_after: str | None = None) -> None:
        self.limit = limit
        self.left = limit
        self.retry_after = retry_after

    def refill(self) -> None:
        """Be as at the start."""
        self.left = self.limit

    def refusal(self, seen: Seen, url: str) -> Reply | None:
        if "/manifests/" not in seen.path or seen.method != "GET":
            return None
        if self.left > 0:
            self.left -= 1
            return None
        headers = () if self.retry_after is None else (("Retry-After", self.retry_after),)
        refused = Reply(429, headers, b'{"errors":[{"code":"TOOMANYREQUESTS","message":"pull rate limit"}]}')
        return rate_headers(self.limit, 0)(refused)

    def token_answer(self, seen: Seen) -> Reply | None:
        return None


@dataclass(slots=True)
class ExpiringPassword:
    """ECR: a password that is good for hours; once it was good and is no more, 403 and a line of plain text."""

    username: str
    password: str
    former: set[str] = field(default_factory=set)

    def change(self, password: str) -> None:
        """From now on the old one has expired."""
        self.former.add(self.password)
        self.password = password

    def refusal(self, seen: Seen, url: str) -> Reply | None:
        expired = {basic_header(self.username, password) for password in self.former}
        if seen.headers.get("authorization") in expired:
            return Reply(403, (("Content-Type", "text/plain"),), b"Your Authorization Token has expired.\n")
        return BasicDemand(self.username, self.password).refusal(seen, url)

    def token_answer(self, seen: Seen) -> Reply | None:
        return None
