"""Posts envelopes to endpoints. The only module of notifications that calls the HTTP client."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import PyreqwestError

from entrepot.notifications.delivery import Endpoint, Unreachable
from entrepot.notifications.events import MEDIA_TYPE

_MOST_REDIRECTS = 10  # as many as Go's client follows


class Poster:
    """Made in the process that posts; the client with the first event. Keeps connections."""

    def __init__(self, agent: str) -> None:
        self._agent = agent
        self._client: Client | None = None

    async def __call__(self, endpoint: Endpoint, body: str) -> int:
        """A `Post`."""
        if self._client is None:
            builder = ClientBuilder().user_agent(self._agent).max_redirects(_MOST_REDIRECTS).http1_only()
            self._client = builder.build()
        try:
            async with asyncio.timeout(endpoint.timeout):
                request = self._client.post(endpoint.url).header("Content-Type", MEDIA_TYPE)
                for name, value in endpoint.headers:
                    request = request.header(name, value, is_sensitive=True)
                timed = request.timeout(timedelta(seconds=endpoint.timeout)).body_bytes(body.encode())
                # Streamed, so that nobody reads what an endpoint has to say.
                async with timed.streamed_read_buffer_limit(0).build_streamed() as response:
                    return response.status
        except TimeoutError:
            raise Unreachable(f"no answer in {endpoint.timeout:g} s") from None
        except PyreqwestError as error:
            # Not its text, which may hold a URL with a password.
            raise Unreachable(type(error).__name__) from None
