"""The way from an event loop to a seat at the engine, which is made on another thread."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future

from avatar_worker.avatars import Avatar

from .executor import Engine
from .seat import Drawn, Failed, Seat, nobody


async def take_seat(
    engine: Engine, avatar: Avatar, *, seed: int, drawn: Drawn, failed: Failed = nobody
) -> Seat:
    """Make a slot at the engine. If cancelled, it is given back, however far it was.

    Args:
        engine: Draws.
        avatar: Whom.
        seed: Of its idle life.
        drawn: Is told about every order, on the engine's thread.
        failed: Is told there if no more will be drawn.

    Raises:
        DeviceError: If the engine has stopped.
        AvatarError: If it cannot draw this avatar.
        PictureError: If it fails to prepare it.
    """
    opening = engine.open(avatar, seed=seed, drawn=drawn, failed=failed)
    try:
        return await asyncio.wrap_future(opening)
    except asyncio.CancelledError:
        # Too late to be taken back when the engine is about it, or has just done it.
        opening.add_done_callback(_close_untaken)
        raise


def _close_untaken(opening: Future[Seat]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
