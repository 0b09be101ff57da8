"""What agent and user do reaches the face, through a real room, and nobody else can say it."""

from __future__ import annotations

import asyncio

import pytest

from avatar_worker.demo.livekit_server import LiveKitServer
from avatar_worker.engine import Engine
from avatar_worker.face import Activity
from fakes.scene import avatar_in, join_request, talker
from fakes.tokens import fresh_room, viewer_token
from fakes.watched_face import WatchedPipeline
from livekit import rtc

pytestmark = pytest.mark.e2e


async def test_the_face_thinks_listens_and_looks_away_with_its_agent(
    livekit_server: LiveKitServer, engine: Engine, face: WatchedPipeline
) -> None:
    name = fresh_room()
    async with (
        talker(livekit_server, name) as agent,
        avatar_in(engine, join_request(livekit_server, name)),
    ):
        await agent.until_avatar()
        for method, word, activity in (
            ("agent_state_changed", "idle", Activity.IDLE),
            ("agent_state_changed", "listening", Activity.LISTENING),
            ("agent_state_changed", "thinking", Activity.THINKING),
            ("user_state_changed", "speaking", Activity.LISTENING),
            ("user_state_changed", "listening", Activity.THINKING),
            ("agent_state_changed", "idle", Activity.IDLE),
            ("user_state_changed", "away", Activity.AWAY),
        ):
            assert await agent.call(method, word) == "ok"
            await face.shows(activity)
        await agent.stream(0.4)
        await face.shows(Activity.SPEAKING)
        await agent.until_finished(1)
        await face.shows(Activity.AWAY)


async def test_an_avatar_that_comes_late_learns_the_state_from_its_agents_attribute(
    livekit_server: LiveKitServer, engine: Engine, face: WatchedPipeline
) -> None:
    name = fresh_room()
    async with talker(livekit_server, name) as agent:
        await agent.room.local_participant.set_attributes({"lk.agent.state": "thinking"})
        async with avatar_in(engine, join_request(livekit_server, name)):
            await face.shows(Activity.THINKING)


async def test_strange_words_and_strangers_change_nothing_and_are_logged_once(
    livekit_server: LiveKitServer,
    engine: Engine,
    face: WatchedPipeline,
    caplog: pytest.LogCaptureFixture,
) -> None:
    name = fresh_room()
    guest_token = viewer_token(livekit_server, name, identity="guest")
    async with (
        talker(livekit_server, name) as agent,
        talker(livekit_server, name, identity="agent-2") as other,
        talker(livekit_server, name, token=guest_token) as guest,
        avatar_in(engine, join_request(livekit_server, name)),
    ):
        for who in (agent, other, guest):
            await who.until_avatar()
        await agent.call("agent_state_changed", "listening")
        await face.shows(Activity.LISTENING)
        face.activities.clear()
        for who in (other, guest):
            for method, word in (
                ("agent_state_changed", "thinking"),
                ("user_state_changed", "away"),
            ):
                assert await who.call(method, word) == "ok"
        for word in ("", "THINKING", "thinking ", '{"state": "thinking"}', "x" * 10_000):
            assert await agent.call("agent_state_changed", word) == "ok"
        await asyncio.sleep(0.3)
        assert face.activities == []
        warnings = [r for r in caplog.records if "a state was ignored" in r.getMessage()]
        assert sorted(getattr(r, "rpc", "") for r in warnings) == [
            "agent_state_changed",
            "user_state_changed",
        ]
        with pytest.raises(rtc.RpcError) as unknown:
            await agent.call("mood_changed", "happy")
        assert unknown.value.code == rtc.RpcError.ErrorCode.UNSUPPORTED_METHOD
        await agent.call("agent_state_changed", "thinking")
        await face.shows(Activity.THINKING)
