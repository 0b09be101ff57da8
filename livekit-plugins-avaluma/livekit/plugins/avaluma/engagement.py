from __future__ import annotations

import asyncio
from collections.abc import Callable

from livekit.agents import APIConnectionError

from .api import RemoteAvatar, StartReply
from .log import logger

STOP_LOST_WITHIN = 3.0


class AvatarEngagement:
    """The avatar that was asked for on the other side, and those that take its place.

    Attributes:
        reply: What the last one that was started can do.
        may_be_there: Whether one of ours may be in the room.
    """

    def __init__(self, open_door: Callable[[], RemoteAvatar]) -> None:
        self._open_door = open_door
        self._remote = open_door()
        self.reply = StartReply()
        self.may_be_there = False

    @property
    def door(self) -> str:
        """What kind of door it came through, for logs"""
        return type(self._remote).__name__

    async def start(self) -> None:
        """Bring the avatar into the room. Raises what the door raises."""
        try:
            self.reply = await self._remote.start()
        except (asyncio.CancelledError, APIConnectionError):
            # The answer may have been lost on its way, and the avatar be there.
            self.may_be_there = True
            raise
        self.may_be_there = True

    async def start_again(self) -> None:
        """Bring another in the place of one that was lost."""
        lost, self._remote = self._remote, self._open_door()
        # A server that still has the lost session would only name it again.
        stopping = asyncio.create_task(lost.stop(), name="avaluma.stop_lost")
        try:
            if not (await asyncio.wait({stopping}, timeout=STOP_LOST_WITHIN))[0]:
                logger.debug("the lost avatar's server does not answer")
        finally:
            stopping.cancel()
        await self.start()

    async def stop(self) -> None:
        """Take the avatar out of the room. Never raises."""
        await self._remote.stop()
