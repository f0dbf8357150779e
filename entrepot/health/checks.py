"""The checks of Distribution's section `health`; each raises Failing in the words that are shown. Know no schedule."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from pyreqwest.client import ClientBuilder
from pyreqwest.exceptions import PyreqwestError

from entrepot.driver import Driver, PathNotFound

Check = Callable[[], Awaitable[None]]

_NO_LIMIT = 60.0
"""Seconds that a check may take which has no limit of its own: one that hangs must not pass for a good one."""


class Failing(Exception):
    """What is wrong, for people."""


def storage_check(driver: Driver) -> Check:
    """Whether the driver answers."""

    async def check() -> None:
        try:
            async with asyncio.timeout(_NO_LIMIT):
                await driver.stat("/")
        except PathNotFound:
            return  # nothing was ever stored
        except TimeoutError:
            raise Failing(f"no answer in {_NO_LIMIT:g} s") from None
        except Exception as error:
            raise Failing(str(error)) from None

    return check


def file_check(path: str) -> Check:
    """Fails while the file is there."""

    async def check() -> None:
        if await asyncio.to_thread(os.path.exists, path):
            raise Failing("file exists")

    return check


def http_check(uri: str, headers: Sequence[tuple[str, str]], status: int, timeout: float) -> Check:
    """Whether a HEAD is answered with the status. `timeout` is in seconds, 0 for none."""

    async def check() -> None:
        limit = timedelta(seconds=timeout or _NO_LIMIT)
        async with ClientBuilder().follow_redirects(True).timeout(limit).build() as client:
            request = client.head(uri)
            for name, value in headers:
                request = request.header(name, value)
            try:
                response = await request.build().send()
            except PyreqwestError as error:
                raise Failing(f"error while checking: {uri}: {type(error).__name__}") from None
        if response.status != status:
            raise Failing(f"{uri}: downstream service returned unexpected status: {response.status}")

    return check


def tcp_check(address: str, timeout: float) -> Check:
    """Whether a connection can be made. `timeout` is in seconds, 0 for none."""
    host, _, port = address.rpartition(":")

    async def check() -> None:
        try:
            async with asyncio.timeout(timeout or _NO_LIMIT):
                _, writer = await asyncio.open_connection(host.strip("[]") or "127.0.0.1", port)
        except (OSError, TimeoutError) as error:
            raise Failing(f"{address}: connection failed: {str(error) or 'timeout'}") from None
        writer.close()

    return check
