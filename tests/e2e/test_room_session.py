"""The room layer on a real livekit-server, driven by LiveKit's own sender."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest

from avatar_worker.clock import ms
from avatar_worker.demo.livekit_server import LiveKitServer
from avatar_worker.engine import Engine
from avatar_worker.errors import PeerError
from avatar_worker.room.door import RunningSession
from avatar_worker.room.presence import LeaveRules
from fakes.scene import AGENT, AVATAR, avatar_in, join_request, talker
from fakes.sender import Sender, sender
from fakes.tokens import admin, avatar_token, fresh_room, viewer_token
from fakes.viewer import Viewer, watch
from livekit import api

pytestmark = pytest.mark.e2e

RULES = LeaveRules(agent_gone=ms(1_500), agent_never_came=ms(6_000), alone=ms(1_500))


@asynccontextmanager
async def scene(
    server: LiveKitServer, engine: Engine
) -> AsyncIterator[tuple[RunningSession, Sender, Viewer]]:
    """An avatar, its agent and a viewer in one room."""
    name = fresh_room()
    async with (
        sender(server, name) as agent,
        watch(server.url, viewer_token(server, name), identity=AVATAR) as viewer,
        avatar_in(engine, join_request(server, name), RULES) as session,
    ):
        yield session, agent, viewer


async def test_idle_pictures_flow_before_anybody_speaks(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    async with scene(livekit_server, engine) as (_, _, viewer):
        await viewer.wait_for(lambda v: v.frames >= 10, 15.0)
        first = viewer.pictures[0]
        assert first.luma > 30, "the first picture is not the SDK's black"
        await asyncio.sleep(1.5)
        assert viewer.fps(1.0) >= 15
        assert viewer.loudness(1.0) < 0.001


async def test_speech_is_heard_moves_the_mouth_and_is_reported(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    async with scene(livekit_server, engine) as (session, agent, viewer):
        await viewer.wait_for(lambda v: v.frames >= 5, 15.0)
        began = time.monotonic()
        await agent.say(2.0)
        await viewer.wait_for(lambda v: v.loudness(0.1) > 0.02, 15.0)
        await asyncio.sleep(0.7)
        moving = viewer.mouth_motion(0.5)
        await agent.until_finished(1)
        took = time.monotonic() - began

        assert moving > 1.0
        assert [(e.playback_position, e.interrupted) for e in agent.finished] == [(2.0, False)]
        assert len(agent.started) == 1
        assert 1.9 < took < 5.0
        await asyncio.sleep(0.6)
        assert viewer.mouth_motion(0.3) < 0.3
        assert viewer.loudness(0.2) < 0.005
        assert session.counters()["streams"] == 1


async def test_an_interruption_is_answered_at_once_with_the_position_heard(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    async with scene(livekit_server, engine) as (session, agent, viewer):
        await viewer.wait_for(lambda v: v.frames >= 5, 15.0)
        await agent.say(5.0)
        await viewer.wait_for(lambda v: v.loudness(0.1) > 0.02, 15.0)
        await asyncio.sleep(1.0)
        asked = time.monotonic()
        agent.output.clear_buffer()
        await agent.until_finished(1)
        answered = time.monotonic() - asked

        (event,) = agent.finished
        assert event.interrupted
        assert answered < 2.0, "inside the agent's guard of 2 s"
        assert 0.5 < event.playback_position < 4.0
        assert event.playback_position == pytest.approx(
            session.counters()["played_ms"] / 1000, abs=0.001
        )
        await asyncio.sleep(0.3)
        assert viewer.loudness(0.1) < 0.005
        await agent.say(1.0)
        await agent.until_finished(2)
        assert agent.finished[1].playback_position == pytest.approx(1.0)
        assert not agent.finished[1].interrupted


@pytest.mark.parametrize("rate", [8_000, 22_050, 24_000, 44_100, 48_000])
async def test_odd_sample_rates_are_played_in_full(
    livekit_server: LiveKitServer, engine: Engine, rate: int
) -> None:
    name = fresh_room()
    async with (
        sender(livekit_server, name, rate=rate) as agent,
        avatar_in(engine, join_request(livekit_server, name), RULES),
    ):
        await agent.say(0.5, rate)
        await agent.until_finished(1)
        assert agent.finished[0].playback_position == pytest.approx(0.5, abs=0.001)


async def test_a_clear_in_one_room_never_touches_another_with_the_same_identities(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    # LiveKit's own sender keeps its answers by identity for the whole process, so the second
    # agent speaks the wire by hand.
    other = fresh_room()
    async with (
        scene(livekit_server, engine) as (_, first, _),
        talker(livekit_server, other) as second,
        avatar_in(engine, join_request(livekit_server, other), RULES),
    ):
        await second.until_avatar(15.0)
        await first.say(3.0)
        await second.stream(3.0)
        await asyncio.sleep(0.8)
        await second.clear()
        await second.until_finished(1)
        assert second.finished[0]["interrupted"]
        assert first.finished == []
        await first.until_finished(1)
        assert not first.finished[0].interrupted
        assert len(second.finished) == 1


async def test_the_avatar_leaves_after_its_agent_and_a_grace_period(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    name = fresh_room()
    async with (
        watch(livekit_server.url, viewer_token(livekit_server, name)) as viewer,
        avatar_in(engine, join_request(livekit_server, name), RULES) as session,
    ):
        async with sender(livekit_server, name):
            # LiveKit announces participants without tracks up to 3 s late.
            await viewer.wait_for(lambda v: v.sees(AGENT) and v.sees(AVATAR), 15.0)
            await asyncio.sleep(1.0)
        left_at = time.monotonic()
        async with asyncio.timeout(15.0):
            assert await session.wait_closed() == "agent_gone"
        assert time.monotonic() - left_at >= 1.0
        await viewer.wait_for(lambda v: not v.sees(AVATAR), 15.0)


async def test_an_avatar_whose_agent_never_comes_leaves(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    async with (
        avatar_in(engine, join_request(livekit_server, fresh_room()), RULES) as session,
        asyncio.timeout(10),
    ):
        assert await session.wait_closed() == "agent_never_came"


async def test_the_end_of_the_room_ends_the_session(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    name = fresh_room()
    async with avatar_in(engine, join_request(livekit_server, name), RULES) as session:
        async with admin(livekit_server) as server_api:
            await server_api.room.delete_room(api.DeleteRoomRequest(room=name))
        async with asyncio.timeout(15.0):
            assert (await session.wait_closed()).startswith("disconnected:")


async def test_closing_reports_unfinished_speech_as_interrupted(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    async with scene(livekit_server, engine) as (session, agent, viewer):
        await agent.say(5.0)
        await viewer.wait_for(lambda v: v.loudness(0.1) > 0.02, 15.0)
        await session.aclose("stopped")
        await agent.until_finished(1, 15.0)
        assert agent.finished[0].interrupted
        assert 0 < agent.finished[0].playback_position < 4.0
        await viewer.wait_for(lambda v: not v.sees(AVATAR), 15.0)


async def test_draining_plays_what_was_accepted(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    async with scene(livekit_server, engine) as (session, agent, _):
        await agent.say(1.5)
        await asyncio.sleep(0.3)
        await session.aclose("drain")
        await agent.until_finished(1, 15.0)
        assert (agent.finished[0].playback_position, agent.finished[0].interrupted) == (1.5, False)


async def test_a_token_for_another_server_is_a_peer_error(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    bad = replace(livekit_server, api_secret="x" * 40)
    name = fresh_room()
    with pytest.raises(PeerError):
        async with avatar_in(
            engine, join_request(livekit_server, name, token=avatar_token(bad, name))
        ):
            pass


async def test_an_unreachable_livekit_is_a_peer_error(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    with pytest.raises(PeerError):
        async with avatar_in(
            engine, join_request(livekit_server, fresh_room(), url="ws://127.0.0.1:9")
        ):
            pass


@pytest.mark.parametrize("part", ["_speech", "_session", "_stage"])
async def test_the_room_is_left_whatever_part_fails_to_close(
    livekit_server: LiveKitServer, engine: Engine, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("this one does not close")

    name = fresh_room()
    async with (
        AsyncExitStack() as end,
        talker(livekit_server, name) as agent,
    ):
        session = await end.enter_async_context(
            avatar_in(engine, join_request(livekit_server, name))
        )
        await agent.until_avatar(15.0)
        what = "say_goodbye" if part == "_stage" else "aclose"
        monkeypatch.setattr(getattr(session, part), what, fail)
        with pytest.raises(RuntimeError, match="does not close"):
            await end.aclose()
        assert not session._room.isconnected()
        assert await session.wait_closed() == "test"
        async with asyncio.timeout(15):
            while AVATAR in agent.room.remote_participants:
                await asyncio.sleep(0.02)
