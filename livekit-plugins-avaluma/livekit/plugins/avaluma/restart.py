from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from livekit.agents import utils

from .errors import AvatarServerError, AvatarSettingsError
from .log import logger

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
COMES_WITHIN = 20.0
"""Between the answer to a start and the avatar's picture in the room."""
HEALTHY_AFTER = 60.0
"""An avatar that is lost sooner than this is replaced after a longer pause than the one before."""


class AvatarRestart:
    """Starts an avatar again and again until one is in the room.

    The pauses between the tries double from 1 s to 30 s. An error that will not get
    better by waiting ends the tries.
    """

    def __init__(
        self,
        start: Callable[[], Awaitable[None]],
        *,
        on_failed: Callable[[Exception], None],
        first_pause: float = FIRST_PAUSE,
        longest_pause: float = LONGEST_PAUSE,
        comes_within: float = COMES_WITHIN,
        healthy_after: float = HEALTHY_AFTER,
    ) -> None:
        self._start = start
        self._on_failed = on_failed
        self._first_pause = first_pause
        self._longest_pause = longest_pause
        self._comes_within = comes_within
        self._healthy_after = healthy_after
        self._pause = 0.0
        self._here_since = 0.0
        self._here = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def lost(self) -> None:
        """The avatar is gone: bring another."""
        if time.monotonic() - self._here_since > self._healthy_after:
            self._pause = 0.0
        self._here.clear()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="avaluma.restart")

    def found(self) -> None:
        """An avatar is in the room."""
        self._here_since = time.monotonic()
        self._here.set()

    async def aclose(self) -> None:
        """Try no more; a start that is under way is cancelled. Idempotent."""
        if self._task is not None:
            await utils.aio.cancel_and_wait(self._task)
            self._task = None

    async def _run(self) -> None:
        while not await self._comes(self._pause):
            self._pause = min(max(self._first_pause, 2 * self._pause), self._longest_pause)
            try:
                await self._start()
            except (AvatarServerError, AvatarSettingsError) as error:
                if not getattr(error, "retryable", False):
                    self._on_failed(error)
                    return
                self._note(error)
            except Exception as error:
                self._note(error)
            else:
                if await self._comes(self._comes_within):
                    return

    async def _comes(self, within: float) -> bool:
        try:
            await asyncio.wait_for(self._here.wait(), within)
        except asyncio.TimeoutError:
            return False
        return True

    def _note(self, error: Exception) -> None:
        logger.warning(
            "no new avatar yet, trying again",
            extra={
                "error": type(error).__name__,
                "code": getattr(error, "code", None),
                "pause": self._pause,
            },
        )
