"""Runs a program that knows credentials: the protocol of docker-credential-helpers, `get` only. Keeps nothing."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from contextlib import suppress
from typing import cast

from entrepot.telemetry import get_logger
from entrepot.upstream.base import Credentials

PATIENCE = 15.0
"""Seconds until a helper that gives no answer is killed."""

_AFTER_KILLING = 1.0
_OUTPUT_LIMIT = 64 * 1024
_TOKEN_USER = "<token>"  # noqa: S105  by this name a helper says that the secret is an identity token
_NOT_FOUND = b"credentials not found"

_log = get_logger(__name__)


class _Unusable(Exception):
    """Why the helper gave nothing; without anything that it wrote."""


async def ask_helper(command: str, server: str, patience: float = PATIENCE) -> Credentials | None:
    """What `command get` knows of `server`, run without a shell; None where it knows nothing or fails, which is logged.

    `command` is one program, by path or as PATH finds it; nothing in it is split or expanded.
    """
    try:
        return _judge(*await _run(command, server, patience))
    except OSError as error:
        reason = error.strerror or "can not be started"
    except _Unusable as error:
        reason = str(error)
    _log.warning("upstream_credentials_failed", command=command, server=server, reason=reason)
    return None


async def _run(command: str, server: str, patience: float) -> tuple[int, bytes]:
    pipe, nowhere = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    # A group of its own, so that what the helper started ends with it.
    process = await asyncio.create_subprocess_exec(
        command, "get", stdin=pipe, stdout=pipe, stderr=nowhere, start_new_session=True
    )
    # They are there, as they were asked for.
    question, answer = cast("asyncio.StreamWriter", process.stdin), cast("asyncio.StreamReader", process.stdout)
    try:
        async with asyncio.timeout(patience):
            with suppress(ConnectionError):  # a helper need not read what it is asked
                question.write(server.encode())
                question.write_eof()
                await question.drain()
            output = await _read(answer)
            return await process.wait(), output
    except TimeoutError:
        raise _Unusable(f"no answer in {patience:g} s") from None
    finally:
        await _end(process, answer)


async def _end(process: asyncio.subprocess.Process, output: asyncio.StreamReader) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        # The process counts as ended only when its output has been read to the end, which who left its group may hold.
        with suppress(TimeoutError):
            async with asyncio.timeout(_AFTER_KILLING):
                while await output.read(_OUTPUT_LIMIT):
                    pass
                await process.wait()


async def _read(output: asyncio.StreamReader) -> bytes:
    content = bytearray()
    while piece := await output.read(_OUTPUT_LIMIT):
        content += piece
        if len(content) > _OUTPUT_LIMIT:
            raise _Unusable(f"more than {_OUTPUT_LIMIT} bytes")
    return bytes(content)


def _judge(status: int, output: bytes) -> Credentials | None:
    if status == 0:
        return _parse(output)
    if output.startswith(_NOT_FOUND):
        return None
    raise _Unusable(f"exit status {status}")


def _parse(output: bytes) -> Credentials:
    try:
        members = json.loads(output)
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, dict):
        raise _Unusable("no JSON object")
    username, secret = members.get("Username"), members.get("Secret")
    if not isinstance(username, str) or not isinstance(secret, str) or not secret:
        raise _Unusable("no Username and Secret")
    return Credentials("", "", secret) if username == _TOKEN_USER else Credentials(username, secret)
