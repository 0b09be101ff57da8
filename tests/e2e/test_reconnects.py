"""Connections that break and are mended by the SDK: the avatar's and its agent's."""

from __future__ import annotations

import asyncio
import time

import pytest

from avatar_worker.demo.livekit_server import LiveKitServer
from avatar_worker.engine import Engine
from avatar_worker.room.room_session import RoomSession
from fakes.scene import AVATAR, avatar_in, join_request, lip_step, talker
from fakes.tokens import fresh_room, viewer_token
from fakes.viewer import Viewer, watch
from livekit import rtc

pytestmark = pytest.mark.e2e

PATIENCE = 30.0
SIGNAL = rtc.SimulateScenarioKind.SIMULATE_SIGNAL_RECONNECT
FULL = rtc.SimulateScenarioKind.SIMULATE_FULL_RECONNECT
LAG_STEP = 0.15
"""Change of the lips' lag that the comparison of two tracks at a viewer cannot tell from none, s."""


async def flows(viewer: Viewer, session: RoomSession) -> None:
    """Wait for two seconds of pictures: the viewer sees nearly all that the avatar shows."""
    before, shown = viewer.frames, session.counters()["pictures_shown"]
    await viewer.wait_for(lambda v: v.frames > before + 50, PATIENCE)
    shown = session.counters()["pictures_shown"] - shown
    assert viewer.frames - before >= 0.8 * shown


async def until_reconnected(room: rtc.Room, kind: rtc.SimulateScenarioKind.ValueType) -> None:
    """Break a participant's connection and wait until the SDK has mended it."""
    mended = asyncio.Event()
    room.once("reconnected", mended.set)
    await room.simulate_scenario(kind)
    async with asyncio.timeout(PATIENCE):
        await mended.wait()


@pytest.mark.parametrize("kind", [SIGNAL, FULL], ids=["resume", "full"])
async def test_a_reconnect_between_two_sentences_leaves_nothing_behind(
    livekit_server: LiveKitServer, engine: Engine, kind: rtc.SimulateScenarioKind.ValueType
) -> None:
    name = fresh_room()
    async with (
        talker(livekit_server, name) as agent,
        watch(livekit_server.url, viewer_token(livekit_server, name), identity=AVATAR) as viewer,
        avatar_in(engine, join_request(livekit_server, name)) as session,
    ):
        await agent.until_avatar(PATIENCE)
        before = time.monotonic()
        await agent.stream(4.0)
        await agent.until_finished(1, PATIENCE)

        await until_reconnected(session._room, kind)
        await asyncio.sleep(1.0)  # until everybody has heard that it left and came back
        await agent.until_avatar(PATIENCE)
        after = time.monotonic()
        await agent.stream(4.0)
        await agent.until_finished(2, PATIENCE)
        assert agent.ends == [(4.0, False), (4.0, False)]
        await asyncio.sleep(0.5)
        assert len(agent.finished) == 2
        assert agent.started == 2
        assert session.counters()["interruptions"] == 0
        await flows(viewer, session)

        assert abs(lip_step(viewer, before, after, 4.0)) <= LAG_STEP


@pytest.mark.parametrize("whose", ["avatar", "agent"])
@pytest.mark.parametrize("kind", [SIGNAL, FULL], ids=["resume", "full"])
async def test_a_reconnect_in_the_middle_of_a_sentence_loses_no_report(
    livekit_server: LiveKitServer,
    engine: Engine,
    kind: rtc.SimulateScenarioKind.ValueType,
    whose: str,
) -> None:
    name = fresh_room()
    async with (
        talker(livekit_server, name) as agent,
        watch(livekit_server.url, viewer_token(livekit_server, name), identity=AVATAR) as viewer,
        avatar_in(engine, join_request(livekit_server, name)) as session,
    ):
        await agent.until_avatar(PATIENCE)
        await agent.stream(5.0)
        await agent.stream(0.5)
        await viewer.wait_for(lambda v: v.loudness(0.1) > 0.02, 15.0)
        await asyncio.sleep(1.0)
        await until_reconnected(session._room if whose == "avatar" else agent.room, kind)

        await agent.until_finished(2, PATIENCE)
        await agent.stream(1.0)
        await agent.until_finished(3, PATIENCE)
        await asyncio.sleep(0.3)

        assert agent.ends == [(5.0, False), (0.5, False), (1.0, False)]
        assert agent.started == 3
        await flows(viewer, session)
