"""A start that is taken back while the avatar joins: it leaves, and nobody else notices.

LiveKit's SDK ends the process of who cancels a connection in the making, 15 s later.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from avatar_worker.clock import MonotonicClock
from avatar_worker.demo.livekit_server import LiveKitServer
from avatar_worker.engine import Engine
from avatar_worker.room.join import joiner
from avatar_worker.room.room_session import RoomOptions
from avatar_worker.session import SessionState
from fakes.scene import avatar_in, join_request
from fakes.tokens import admin, fresh_room
from livekit import api, rtc

pytestmark = pytest.mark.e2e


class Watched(rtc.Room):
    """A room that says when its connection is in the making, and how that ended."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()
        self.how = ""

    async def connect(self, *arguments: Any) -> None:
        asyncio.get_running_loop().call_soon(self.begun.set)
        try:
            await super().connect(*arguments)
        except BaseException as error:
            self.how = type(error).__name__
            raise
        self.how = "connected"


async def present(server: LiveKitServer, name: str) -> list[str]:
    """Who is in the room."""
    async with admin(server) as server_api:
        found = await server_api.room.list_rooms(api.ListRoomsRequest(names=[name]))
        if not found.rooms:
            return []
        people = await server_api.room.list_participants(api.ListParticipantsRequest(room=name))
    return [person.identity for person in people.participants]


@pytest.mark.parametrize("times", [1, 3])
async def test_who_gives_a_join_up_lets_it_end_and_leaves(
    livekit_server: LiveKitServer, engine: Engine, times: int
) -> None:
    name, room = fresh_room(), Watched()
    join = joiner(engine, MonotonicClock(), RoomOptions(), lambda: room)
    joining = asyncio.ensure_future(join(join_request(livekit_server, name)))
    await room.begun.wait()
    assert room.how == ""
    for _ in range(times):
        joining.cancel()
        await asyncio.sleep(0)
    await asyncio.wait({joining}, timeout=20.0)
    assert joining.cancelled()
    assert room.how == "connected"
    assert not room.isconnected()
    assert await present(livekit_server, name) == []


async def test_a_refused_join_that_was_given_up_is_given_up(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    room = Watched()
    join = joiner(engine, MonotonicClock(), RoomOptions(), lambda: room)
    joining = asyncio.ensure_future(join(join_request(livekit_server, fresh_room(), token="x.y.z")))
    await room.begun.wait()
    joining.cancel()
    await asyncio.wait({joining}, timeout=20.0)
    assert joining.cancelled()
    assert room.how == "ConnectError"


async def test_whenever_a_join_is_given_up_the_next_one_works(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    names = [fresh_room() for _ in range(25)]
    join = joiner(engine, MonotonicClock(), RoomOptions(), rtc.Room)
    came = 0
    for number, name in enumerate(names):
        joining = asyncio.ensure_future(join(join_request(livekit_server, name)))
        await asyncio.wait({joining}, timeout=0.02 * number)
        joining.cancel()
        await asyncio.wait({joining}, timeout=20.0)
        if not joining.cancelled():
            came += 1
            await joining.result().aclose("test")
    assert came < len(names), "some must have been given up"
    for name in names:
        assert await present(livekit_server, name) == []
    async with avatar_in(engine, join_request(livekit_server, fresh_room())) as session:
        assert session.state is SessionState.IDLE
    assert engine.failed is None
