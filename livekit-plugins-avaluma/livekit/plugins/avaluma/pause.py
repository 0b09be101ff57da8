from __future__ import annotations

import asyncio

from livekit import rtc

from .log import logger

RPC_PAUSE = "avaluma.pause"
RPC_RESUME = "avaluma.resume"
TRIES = 3


class PauseCalls:
    """Tells the avatar to pause or to go on, one call after the other.

    What was wanted last wins. An avatar that does not answer speaks on: a pause
    that fails never costs speech.
    """

    def __init__(self, room: rtc.Room, *, avatar_identity: str) -> None:
        self._room = room
        self._avatar = avatar_identity
        self._wanted = False
        self._told = False
        self._task: asyncio.Task[None] | None = None

    def want(self, *, paused: bool) -> None:
        """Ask for a state; asking again for the same one does nothing."""
        self._wanted = paused
        # An avatar that is still on its way is told with the first word: see `settled`.
        here = self._room.isconnected() and self._avatar in self._room.remote_participants
        if here and self._told != paused and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._tell(), name="avaluma.pause")

    async def settled(self) -> None:
        """Wait until the avatar has been told what was wanted last."""
        self.want(paused=self._wanted)
        if self._task is not None and not self._task.done():
            await asyncio.wait({self._task})

    def stop(self) -> None:
        """Call no more."""
        self._wanted = self._told = False
        if self._task is not None:
            self._task.cancel()

    async def _tell(self) -> None:
        while self._told != self._wanted:
            wanted = self._wanted
            answered = await self._call(RPC_PAUSE if wanted else RPC_RESUME)
            if wanted and not answered:
                self._wanted = False  # it speaks on; there is nothing to resume
            else:
                self._told = wanted

    async def _call(self, method: str) -> bool:
        for attempt in range(TRIES):
            try:
                await self._room.local_participant.perform_rpc(
                    destination_identity=self._avatar, method=method, payload=""
                )
                return True
            except rtc.RpcError as error:
                if error.code == rtc.RpcError.ErrorCode.UNSUPPORTED_METHOD:
                    break
                await asyncio.sleep(0.1 * (attempt + 1))
        logger.warning("the avatar could not be told to pause or to go on", extra={"rpc": method})
        return False
