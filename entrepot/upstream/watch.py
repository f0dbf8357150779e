"""How one upstream fares: stands before its transports, asks nothing in vain, and tells of what changes.

Looks at the upstream's own answers only; what a redirect leads to is not the upstream.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from entrepot.oci.errors import UpstreamFailed
from entrepot.telemetry import Meter, get_logger
from entrepot.upstream.addresses import Address
from entrepot.upstream.breaker import Breaker
from entrepot.upstream.limits import Limits
from entrepot.upstream.message import Head, Request
from entrepot.upstream.quota import Quota
from entrepot.upstream.reply import Reply
from entrepot.upstream.transport import Sender

_log = get_logger(__name__)


class Watch:
    """The state of one upstream, for all its transports; `label` is its name in logs and figures."""

    def __init__(
        self,
        address: Address,
        label: str,
        meter: Meter,
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = address
        self._label = label
        self._meter = meter
        self._slow = limits.tolerance.slow
        self._clock = clock
        self._breaker = Breaker(limits.tolerance, clock)
        self._quota = Quota(limits.cooldown, clock)

    @property
    def is_suspended(self) -> bool:
        """Whether the upstream is not to be asked again now."""
        return self._breaker.is_open or self._quota.is_exhausted

    def is_own(self, request: Request) -> bool:
        """Whether it goes to the upstream itself."""
        return request.url.origin_ascii == self._address.origin

    async def open(self, answer: AsyncExitStack, sender: Sender, request: Request) -> Reply:
        """Send a request to the upstream itself, and note how that went; the reply ends with `answer`.

        Raises TooManyRequests and UpstreamUnreachable without asking where the upstream is to be left in peace, and
        what `sender` raises.
        """
        self._quota.admit()
        is_probe = self._breaker.admit()
        began = self._clock()
        try:
            reply = await answer.enter_async_context(sender.send(request))
        except UpstreamFailed:
            self._note_failure(0, is_probe=is_probe)
            raise
        except BaseException:
            if self._clock() - began >= self._slow:
                self._note_failure(0, is_probe=is_probe)
            else:
                self._breaker.forgo(is_probe=is_probe)
            raise
        self._note_answer(reply.head, is_probe=is_probe)
        return reply

    def _note_answer(self, head: Head, *, is_probe: bool) -> None:
        self._note_quota(head)
        if head.status >= 500 and head.status != 501:
            self._note_failure(head.status, is_probe=is_probe)
            return
        self._meter.answered(self._label, head.status)
        if self._breaker.succeed():
            self._meter.suspended(self._label, is_open=False)
            _log.info("upstream_recovered", upstream=self._label, status=head.status)

    def _note_quota(self, head: Head) -> None:
        before = self._quota.rate.remaining
        has_changed, rate = self._quota.note(head), self._quota.rate
        if rate.remaining is not None and rate.remaining != before:
            self._meter.remaining(self._label, rate.remaining)
        if not has_changed:
            return
        if self._quota.is_exhausted:
            limits = {"limit": rate.limit, "remaining": rate.remaining, "source": rate.source}
            _log.warning("upstream_rate_limited", upstream=self._label, **limits)
        else:
            _log.info("upstream_recovered", upstream=self._label, status=head.status)

    def _note_failure(self, status: int, *, is_probe: bool) -> None:
        self._meter.answered(self._label, status)
        if self._breaker.fail(is_probe=is_probe):
            self._meter.suspended(self._label, is_open=True)
            _log.warning("upstream_suspended", upstream=self._label, status=status)


class Watched:
    """A Sender that is watched as far as the upstream itself is asked."""

    def __init__(self, sender: Sender, watch: Watch) -> None:
        self._sender = sender
        self._watch = watch

    @asynccontextmanager
    async def send(self, request: Request) -> AsyncIterator[Reply]:
        """As the Sender's, and raises what `Watch.open` does."""
        async with AsyncExitStack() as answer:
            if self._watch.is_own(request):
                yield await self._watch.open(answer, self._sender, request)
            else:
                yield await answer.enter_async_context(self._sender.send(request))
