"""A session that has ended frees what it held at once: nothing waits for the garbage collector."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from avatar_worker.demo.livekit_server import LiveKitServer
from avatar_worker.engine import Engine
from avatar_worker.room.room_session import RoomSession
from avatar_worker.room.sdk_spares import SPARES
from fakes.scene import Talker, avatar_in, join_request, talker
from fakes.tokens import admin, fresh_room
from livekit import api

pytestmark = pytest.mark.e2e


@pytest.fixture
def without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def parts(session: RoomSession) -> dict[str, weakref.ref[object]]:
    """What is heavy or keeps others alive: the SDK's room, the canvas, the speech."""
    seat, stage = session._session._sitting.seat, session._stage
    assert seat is not None
    assert stage is not None
    held: dict[str, object] = {
        "session": session,
        "room": session._room,
        "participant": session._room.local_participant,
        "avatar session": session._session,
        "sitting": session._session._sitting,
        "stage": stage,
        "calls": stage.calls,
        "reports": stage.reports,
        "sound": stage.sound,
        "pictures": stage.pictures,
        "seat": seat,
        "slot": seat.slot,
    }
    return {name: weakref.ref(part) for name, part in held.items()}


async def lives(server: LiveKitServer, engine: Engine, end: str) -> dict[str, weakref.ref[object]]:
    """A session that speaks, is interrupted and paused, and ends in one way or another."""
    name = fresh_room()
    async with (
        talker(server, name) as agent,
        avatar_in(engine, join_request(server, name)) as session,
    ):
        await agent.until_avatar(15.0)
        await converse(agent)
        held = parts(session)
        if end == "room deleted":
            async with admin(server) as server_api:
                await server_api.room.delete_room(api.DeleteRoomRequest(room=name))
            async with asyncio.timeout(15.0):
                await session.wait_closed()
    return held


async def converse(agent: Talker) -> None:
    await agent.stream(0.5)
    await agent.until_finished(1)
    await agent.stream(10.0)
    await agent.stream(10.0, close=False)
    async with asyncio.timeout(15.0):
        while agent.started < 2:
            await asyncio.sleep(0.02)
    await agent.clear()
    await agent.until_finished(3)
    await agent.stream(10.0)
    await asyncio.sleep(0.3)


@pytest.mark.parametrize("end", ["stopped", "room deleted"])
@pytest.mark.usefixtures("without_collector")
async def test_an_ended_session_is_gone_without_a_collection(
    livekit_server: LiveKitServer, engine: Engine, end: str
) -> None:
    held = await lives(livekit_server, engine, end)
    left = list(held)
    for _ in range(150):
        left = [name for name, part in held.items() if part() is not None]
        if not left:
            break
        await asyncio.sleep(0.1)
    assert left == []


def native_threads() -> Counter[str]:
    """The SDK's threads of this process by their names; those that look up names come and go."""
    names: Counter[str] = Counter()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError):
            names[(task / "comm").read_text().strip()] += 1
    return Counter({name: names[name] for name in ("AudioSourceCapt", "network_thread")})


async def test_rooms_that_the_server_ends_strand_one_sound_source_in_all(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    await lives(livekit_server, engine, "room deleted")
    after_one = native_threads()
    for _ in range(3):
        await lives(livekit_server, engine, "room deleted")
    assert native_threads() <= after_one
    assert SPARES.spare() >= 1
