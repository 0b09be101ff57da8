"""Moods, gestures and the user's pauses reach the face through a real room; strangers' do not."""

from __future__ import annotations

import asyncio
import json

import pytest

from avatar_worker.demo.livekit_server import LiveKitServer
from avatar_worker.engine import Engine
from avatar_worker.face import Gesture, Mood, Turn
from avatar_worker.face.moods import MOODS
from avatar_worker.room.door import SpeechFrom
from fakes.scene import AVATAR, Talker, avatar_in, join_request, talker
from fakes.tokens import fresh_room, viewer_token
from fakes.watched_face import WatchedPipeline
from livekit import rtc
from livekit.plugins import avaluma

pytestmark = pytest.mark.e2e


async def ask(who: Talker, method: str, payload: object) -> str:
    return await who.call(method, payload if isinstance(payload, str) else json.dumps(payload))


async def test_the_agent_sets_moods_and_makes_gestures_also_while_it_speaks(
    livekit_server: LiveKitServer, engine: Engine, face: WatchedPipeline
) -> None:
    name = fresh_room()
    async with (
        talker(livekit_server, name) as agent,
        avatar_in(engine, join_request(livekit_server, name)) as avatar,
    ):
        await agent.until_avatar()
        assert await ask(agent, "avaluma.set_mood", {"mood": "happy", "intensity": 0.6}) == "ok"
        await agent.stream(1.0)
        assert await ask(agent, "avaluma.gesture", {"gesture": "nod"}) == "ok"
        await agent.until_finished(1)
        assert await ask(agent, "user_state_changed", "speaking") == "ok"
        assert await ask(agent, "user_state_changed", "listening") == "ok"
        await face.saw(Mood("happy", 0.6, 0.4), Gesture("nod"), Turn.BEGAN, Turn.PAUSED)
        assert agent.ends == [(1.0, False)]
        assert avatar.counters()["cues"] == 2


async def test_mistakes_are_answered_with_codes_and_the_known_names(
    livekit_server: LiveKitServer, engine: Engine, face: WatchedPipeline
) -> None:
    name = fresh_room()
    async with (
        talker(livekit_server, name) as agent,
        avatar_in(engine, join_request(livekit_server, name)),
    ):
        await agent.until_avatar()
        for payload, code, facts in (
            ({"mood": "merry"}, 2404, {"code": "UNKNOWN_MOOD", "known": list(MOODS)}),
            ({"mood": "happy", "fade": -1}, 2400, {"code": "BAD_CUE"}),
            ("happy", 2400, {"code": "BAD_CUE"}),
        ):
            with pytest.raises(rtc.RpcError) as caught:
                await ask(agent, "avaluma.set_mood", payload)
            assert caught.value.code == code
            assert json.loads(caught.value.data or "") == facts
        assert face.cues == []


async def test_who_may_not_speak_may_not_make_faces(
    livekit_server: LiveKitServer, engine: Engine, face: WatchedPipeline
) -> None:
    name = fresh_room()
    guest_token = viewer_token(livekit_server, name, identity="guest")
    request = join_request(livekit_server, name, speech_from=SpeechFrom.UNTIL_AGENT)
    async with (
        talker(livekit_server, name) as agent,
        talker(livekit_server, name, token=guest_token) as guest,
        avatar_in(engine, request),
    ):
        for who in (agent, guest):
            await who.until_avatar()
        # The agent's mood is not its first word: the door stays open.
        await ask(agent, "avaluma.set_mood", {"mood": "sad"})
        await ask(guest, "avaluma.gesture", {"gesture": "smile"})
        await agent.stream(0.3)
        await agent.until_finished(1)
        with pytest.raises(rtc.RpcError) as caught:
            await ask(guest, "avaluma.gesture", {"gesture": "nod"})
        assert caught.value.code == 2403
        assert json.loads(caught.value.data or "") == {"code": "NOT_ALLOWED"}
        assert "speech_from" in caught.value.message
        await ask(agent, "avaluma.gesture", {"gesture": "nod"})
        await face.saw(Mood("sad", 1.0, 0.4), Gesture("smile"), Gesture("nod"))


async def test_the_plugin_reaches_the_worker_and_names_what_went_wrong(
    livekit_server: LiveKitServer, engine: Engine, face: WatchedPipeline
) -> None:
    name = fresh_room()
    plugin = avaluma.AvatarSession(
        avatar_server_url="http://localhost:1", avatar_participant_identity=AVATAR
    )
    async with talker(livekit_server, name) as agent:
        plugin._room = agent.room
        async with avatar_in(engine, join_request(livekit_server, name)):
            await agent.until_avatar()
            await plugin.set_mood("happy", intensity=0.6, fade=0.4)
            await plugin.gesture("nod")
            await face.saw(Mood("happy", 0.6, 0.4), Gesture("nod"))
            with pytest.raises(avaluma.UnknownExpressionError, match="no mood 'merry'") as unknown:
                await plugin.set_mood("merry")
            assert unknown.value.known == tuple(MOODS)
            with pytest.raises(avaluma.AvatarExpressionError, match="from 0 to 1") as wrong:
                await plugin.set_mood("happy", intensity=1.5)
            assert wrong.value.code == "BAD_CUE"
        async with asyncio.timeout(10.0):
            while AVATAR in agent.room.remote_participants:
                await asyncio.sleep(0.05)
        with pytest.raises(avaluma.AvatarExpressionError) as absent:
            await plugin.gesture("nod")
        assert absent.value.code == "AVATAR_ABSENT"
