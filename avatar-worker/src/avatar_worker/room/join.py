"""The first door's way in: join a room with the token that came with the request."""

from __future__ import annotations

from collections.abc import Callable

from avatar_worker.clock import Clock
from avatar_worker.engine import Engine
from livekit import rtc

from .door import Join, JoinRequest, RunningSession
from .room_session import RoomOptions, RoomSession


def joiner(
    engine: Engine, clock: Clock, options: RoomOptions, new_room: Callable[[], rtc.Room] = rtc.Room
) -> Join:
    """Return the function that brings an avatar into a room.

    Args:
        engine: Draws.
        clock: Tells the time.
        options: As the operator set them.
        new_room: Makes the end of a connection that a session holds.
    """

    async def join(request: JoinRequest) -> RunningSession:
        session = RoomSession(request, engine, clock, options, door="http", room=new_room())

        async def connect(room: rtc.Room) -> None:
            # Nobody's tracks are decoded: speech comes over data streams.
            await room.connect(request.url, request.token, rtc.RoomOptions(auto_subscribe=False))

        await session.start(connect)
        return session

    return join
