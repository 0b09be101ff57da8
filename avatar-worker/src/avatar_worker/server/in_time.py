"""What a start waits for, each with its end: the avatar's file, then the room."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from avatar_worker.avatars.avatar import Avatar
from avatar_worker.errors import PeerError
from avatar_worker.room.door import Join, JoinRequest

from .entry import Entry

LEAVE_BUDGET: Final = 1.0
"""Seconds that a given-up join gets to leave before we answer."""

OpenAvatar = Callable[[str], Awaitable[Avatar]]
"""Open an avatar by id, from the disk or the cache. Raises `AvatarError`."""


async def open_in_time(open_avatar: OpenAvatar, avatar_id: str, budget: float) -> Avatar:
    """Return the avatar.

    Args:
        open_avatar: Reads it.
        avatar_id: Which.
        budget: Seconds.

    Raises:
        AvatarError: If it cannot be opened.
        PeerError: If that takes longer.
    """
    try:
        async with asyncio.timeout(budget):
            return await open_avatar(avatar_id)
    except TimeoutError:
        raise PeerError("the avatar could not be opened in time") from None


async def join_in_time(join: Join, entry: Entry, asked: JoinRequest, left: float) -> bool:
    """Join, and tell the entry.

    Args:
        join: Does it; its errors are raised.
        entry: The start; it may be closed meanwhile.
        asked: Which room.
        left: Seconds that are left for it.

    Returns:
        Whether the session runs; if not, its join was told to leave the room.
    """
    joining = asyncio.ensure_future(join(asked))
    entry.joining = joining
    if not entry.closing:
        await asyncio.wait({joining}, timeout=max(0.0, left))
    if joining.done() and not joining.cancelled() and not entry.closing:
        entry.started(joining.result())
        return True
    # The caller's next try would meet its predecessor in the room: leave, then answer.
    entry.closing = True
    joining.cancel()
    await asyncio.wait({joining}, timeout=LEAVE_BUDGET)
    return False
