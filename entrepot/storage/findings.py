"""What a check of a store finds, and how it makes sure: what looks wrong is looked at again a moment later.

So a registry may be serving, and be written to, meanwhile. Must not know what is checked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from entrepot.driver import PathInvalid
from entrepot.oci.digest import Digest
from entrepot.storage.evicted import Identity

T = TypeVar("T")

Check = Callable[[], Awaitable[str | None]]
"""Says what is wrong with one thing; None: nothing, or it is gone."""


class Unseen(str):
    """Why something could not be looked at: it may be as it should."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """`text` names it in full. What can be done is to put `content` aside, or to remove the `link`; else nothing.

    Of content, `identity` is the file that was looked at, where it is one; of a link, `check` tells whether it still is
    wrong.
    """

    text: str
    content: Digest | None = None
    identity: Identity | None = None
    link: str = ""
    check: Check | None = None


async def confirmed(look: Callable[[], Awaitable[T | None]], pause: float) -> T | None:
    """What is said the second time, `pause` seconds after the first; None where either time it was nothing."""
    if await look() is None:
        return None
    await asyncio.sleep(pause)
    return await look()


async def checked(check: Check) -> str | None:
    """What the check says, or why it could not be made."""
    try:
        return await check()
    except PathInvalid:
        return Unseen("cannot be looked at: no plain file, too large, or behind a symbolic link")
    except OSError as error:
        return Unseen(f"cannot be looked at: {error.strerror}")
