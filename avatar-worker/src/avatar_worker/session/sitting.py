"""A session's place at the engine, as the session's event loop sees it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final

from avatar_worker.avatars import Avatar
from avatar_worker.clock import Clock, Ticks, ms
from avatar_worker.engine import Engine, PictureOrder, Seat, take_seat
from avatar_worker.errors import DeviceError, PictureError
from avatar_worker.face import Cue
from avatar_worker.frames import VideoFrame

FIRST_PICTURE_WITHIN: Final = ms(60_000)


class Sitting:
    """Takes a seat, and brings what the engine's thread says to the event loop that made it.

    Args:
        engine: Draws.
        clock: The session's.
        on_picture: Told about every order but the first.
        on_failure: Told once if there will be no more pictures, after the first one.
    """

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        *,
        on_picture: Callable[[PictureOrder, VideoFrame | None], None],
        on_failure: Callable[[PictureError | DeviceError], None],
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._first: asyncio.Future[VideoFrame | None] = self._loop.create_future()
        self._on_picture = on_picture
        self._on_failure = on_failure
        self.seat: Seat | None = None

    async def first_picture(self, avatar: Avatar, *, seed: int) -> VideoFrame:
        """Take the seat, and draw one picture.

        Raises:
            AvatarError: If the avatar cannot be drawn.
            PictureError: If drawing it fails.
            DeviceError: If the engine has stopped.
        """

        # Both run on the engine's thread, which must survive the end of any session's loop.
        def drawn(order: PictureOrder, frame: VideoFrame | None) -> None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._drawn, order, frame)

        def failed(error: PictureError | DeviceError) -> None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._failed, error)

        self.seat = await take_seat(self._engine, avatar, seed=seed, drawn=drawn, failed=failed)
        now = self._clock.now()
        order = PictureOrder(pts=now, speaking=False)
        self.seat.submit(order, deadline=Ticks(now + FIRST_PICTURE_WITHIN))
        frame = await self._first
        if frame is None:
            raise DeviceError("the render engine is too slow to draw one picture in a minute")
        return frame

    def submit(self, order: PictureOrder, *, deadline: Ticks) -> None:
        """Order a picture that is useless after `deadline`.

        Raises:
            DeviceError: If the engine has stopped.
        """
        if self.seat is not None:
            self.seat.submit(order, deadline=deadline)

    def cancel(self) -> None:
        """Forget the orders that are not being drawn yet."""
        if self.seat is not None:
            self.seat.cancel()

    def express(self, cue: Cue) -> None:
        """Let the face follow a cue, if there still is one: an engine that has stopped says so itself."""
        if self.seat is not None:
            with contextlib.suppress(DeviceError):
                self.seat.express(cue)

    def close(self) -> None:
        """Give the seat back, and tell nobody any more. Idempotent."""
        # Cut here, or megabytes of canvas wait for the garbage collector.
        self._on_picture = self._on_failure = _ignore
        seat, self.seat = self.seat, None
        if seat is not None:
            with contextlib.suppress(DeviceError):
                seat.close()

    def _drawn(self, order: PictureOrder, frame: VideoFrame | None) -> None:
        if self._first.done():
            self._on_picture(order, frame)
        else:
            self._first.set_result(frame)

    def _failed(self, error: PictureError | DeviceError) -> None:
        if self._first.done():
            self._on_failure(error)
        else:
            self._first.set_exception(error)
            self._first.exception()  # seen: a start that was given up waits no more


def _ignore(*news: Any) -> None:
    """Nobody is there any more."""
