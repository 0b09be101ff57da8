"""An avatar that leaves unasked: the agent speaks, a new one is brought, or it goes on as text."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest

from fakes.avatar_server import Answer, refused, started
from fakes.plugin_stage import IDENTITY, stage
from livekit import rtc
from livekit.plugins.avaluma import (
    AvatarServerError,
)
from livekit.plugins.avaluma.output import AvatarAudioOutput
from livekit.plugins.avaluma.voice import AgentVoice


async def test_an_avatar_that_leaves_unasked_lets_the_agent_speak_and_may_return(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with stage() as s:
        await s.start()
        seen: list[str] = []
        s.avatar.on("avatar_left", lambda: seen.append("left"))
        s.avatar.on("avatar_returned", lambda: seen.append("returned"))
        s.room.join(IDENTITY)
        first = s.agent.output.audio
        with caplog.at_level(logging.WARNING, "livekit.plugins.avaluma"):
            s.room.join("somebody")
            s.room.leave("somebody")
            assert seen == []
            s.room.leave(IDENTITY)
        assert seen == ["left"]
        assert isinstance(s.agent.output.audio, AgentVoice)
        [record] = [r for r in caplog.records if "left the room" in r.getMessage()]
        assert IDENTITY not in record.getMessage()
        assert vars(record)["lk.pii.identity"] == IDENTITY

        s.room.join(IDENTITY)
        assert seen == ["left", "returned"]
        assert isinstance(s.agent.output.audio, AvatarAudioOutput)
        assert s.agent.output.audio is not first
        assert len(s.server.starts) == 1, "it is not restarted unless that is asked for"


async def test_an_agent_that_goes_on_as_text_publishes_no_voice() -> None:
    async with stage(on_avatar_lost="text_only") as s:
        await s.start()
        s.room.join(IDENTITY)
        s.room.leave(IDENTITY)
        assert s.agent.output.audio is None
        s.room.join(IDENTITY)
        assert isinstance(s.agent.output.audio, AvatarAudioOutput)


async def test_a_close_after_a_loss_leaves_the_output_as_it_was() -> None:
    async with stage() as s:
        await s.start()
        s.room.join(IDENTITY)
        s.room.leave(IDENTITY)
        assert isinstance(s.agent.output.audio, AgentVoice)
        await s.avatar.aclose()
        assert s.agent.output.audio is None


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_lost_avatar_is_restarted_where_that_is_asked_for() -> None:
    second = Answer(body={"session_id": "sess_2", "sample_rate": 24000})
    async with stage(started(), second, on_avatar_lost="restart") as s:
        await s.start()
        seen: list[str] = []
        s.avatar.on("avatar_returned", lambda: seen.append("returned"))
        s.room.join(IDENTITY)
        s.room.leave(IDENTITY)
        assert isinstance(s.agent.output.audio, AgentVoice), "the agent speaks meanwhile"
        await until(lambda: len(s.server.starts) == 2)
        assert [stop.json for stop in s.server.stops] == [{"session_id": "sess_0123456789abcdef"}]
        keys = [start.headers["Idempotency-Key"] for start in s.server.starts]
        assert keys[0] != keys[1], "another avatar is meant"
        s.room.join(IDENTITY)
        assert seen == ["returned"]
        sink = s.agent.output.audio
        assert isinstance(sink, AvatarAudioOutput)
        assert sink.sample_rate == 24000
        await s.avatar.aclose()
        assert s.server.stops[-1].json == {"session_id": "sess_2"}


async def test_an_avatar_that_was_sent_away_is_not_brought_back() -> None:
    async with stage(on_avatar_lost="restart") as s:
        await s.start()
        s.room.join(IDENTITY)
        s.room.leave(IDENTITY, reason=rtc.DisconnectReason.PARTICIPANT_REMOVED)
        await asyncio.sleep(0.1)
        assert len(s.server.starts) == 1
        assert isinstance(s.agent.output.audio, AgentVoice)


async def test_a_restart_that_is_refused_for_good_is_told() -> None:
    gone = refused(404, "AVATAR_NOT_FOUND")
    async with stage(started(), gone, on_avatar_lost="restart") as s:
        await s.start()
        failed: list[AvatarServerError] = []
        s.avatar.on("avatar_failed", failed.append)
        s.room.join(IDENTITY)
        s.room.leave(IDENTITY)
        await until(lambda: bool(failed))
        assert failed[0].code == "AVATAR_NOT_FOUND"
        assert isinstance(s.agent.output.audio, AgentVoice)


async def test_closing_ends_a_restart_that_is_under_way() -> None:
    late = Answer(body={"session_id": "late"}, hold=True)
    async with stage(started(), late, on_avatar_lost="restart") as s:
        await s.start()
        s.room.join(IDENTITY)
        s.server.arrived.clear()
        s.room.leave(IDENTITY)
        await s.server.arrived.wait()
        asyncio.get_running_loop().call_later(0.02, s.server.let_go.set)
        await s.avatar.aclose()
        assert s.server.stops[-1].json == {"session_id": "late"}


async def test_the_end_of_the_room_is_no_leaving_avatar() -> None:
    async with stage() as s:
        await s.start()
        seen: list[str] = []
        s.avatar.on("avatar_left", lambda: seen.append("left"))
        s.room.join(IDENTITY)
        s.room.disconnect()
        s.room.leave(IDENTITY)
        assert seen == []
