"""A start of the plugin: what is asked of the server, what is refused, when the avatar is there."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import jwt
import pytest

from fakes.avatar_server import Answer, AvatarServerStub, refused, started
from fakes.plugin_stage import IDENTITY, stage
from livekit.agents.job import _JobContextVar
from livekit.agents.metrics.base import AvatarMetrics
from livekit.plugins.avaluma import (
    AvalumaException,
    AvatarServerError,
    AvatarSettingsError,
)
from livekit.plugins.avaluma.output import AvatarAudioOutput

from .conftest import LIVEKIT_SECRET


def claims(server: AvatarServerStub) -> dict[str, Any]:
    token = server.starts[-1].json["livekit_token"]
    decoded: dict[str, Any] = jwt.decode(token, LIVEKIT_SECRET, algorithms=["HS256"])
    return decoded


async def test_a_start_asks_the_server_and_sends_the_voice_to_the_avatar() -> None:
    async with stage(license_key="K") as s:
        await s.start()
        [request] = s.server.starts
        assert request.path == "/v1/livekit/start-avatar"
        assert request.headers["api-secret"] == "K"
        assert request.headers["Content-Type"] == "application/json"
        assert list(request.json) == [
            "livekit_url",
            "livekit_token",
            "avaluma_key",
            "avaluma_avatar_id",
        ]
        sink = s.agent.output.audio
        assert isinstance(sink, AvatarAudioOutput)
        assert sink.sample_rate == 16000
        assert sink._wait_playback_start
        assert sink._wait_remote_track is not None
        assert sink._clear_buffer_timeout == 2.0


async def test_without_a_key_none_is_sent() -> None:
    async with stage() as s:
        await s.start()
        assert "api-secret" not in s.server.starts[0].headers
        assert "avaluma_key" not in s.server.starts[0].json


async def test_the_token_lets_the_avatar_join_on_behalf_of_the_agent() -> None:
    async with stage(avatar_id="Ada", avatar_participant_name="Ada L.") as s:
        await s.start()
        token = claims(s.server)
        assert (token["sub"], token["name"], token["kind"]) == ("avatar-Ada", "Ada L.", "agent")
        assert token["iss"] == "livekit-key"
        assert token["exp"] - token["nbf"] == 6 * 3600
        assert token["video"] == {
            "roomJoin": True,
            "room": "room-1",
            "canPublish": True,
            "canSubscribe": True,
            "canPublishData": True,
            "canUpdateOwnMetadata": True,
        }
        assert token["attributes"] == {
            "lk.publish_on_behalf": "agent-AJ_1",
            "avaluma.ai_generated": "true",
            "avaluma.speech_from": "agents",
        }


async def test_a_speech_policy_goes_into_the_request_and_the_token() -> None:
    async with stage(speech_from="listed", speakers=["anna"]) as s:
        await s.start()
        assert s.server.starts[0].json["speech_from"] == "listed"
        assert s.server.starts[0].json["speakers"] == ["anna"]
        assert claims(s.server)["attributes"]["avaluma.speech_from"] == "listed"


async def test_arguments_win_over_livekits_environment() -> None:
    async with stage() as s:
        await s.start(
            livekit_url="wss://argument", livekit_api_key="ak", livekit_api_secret=LIVEKIT_SECRET
        )
        assert s.server.starts[0].json["livekit_url"] == "wss://argument"
        assert claims(s.server)["iss"] == "ak"


async def test_a_server_that_reports_no_start_of_playback_is_not_waited_for() -> None:
    async with stage(Answer(body={"session_id": "s", "sample_rate": 24000})) as s:
        await s.start()
        sink = s.agent.output.audio
        assert isinstance(sink, AvatarAudioOutput)
        assert (sink._wait_playback_start, sink.sample_rate) == (False, 24000)


@pytest.mark.parametrize("name", ["LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"])
async def test_missing_livekit_access_is_said_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv(name)
    async with stage() as s:
        with pytest.raises(AvatarSettingsError, match=name):
            await s.start()
        assert s.server.requests == []


async def test_outside_a_job_the_room_must_be_connected() -> None:
    async with stage(connected=False) as s:
        with pytest.raises(AvalumaException, match="job context or a connected room"):
            await s.start()


async def test_the_avatar_cannot_bear_the_agents_identity() -> None:
    async with stage(avatar_participant_identity="agent-AJ_1") as s:
        with pytest.raises(AvatarSettingsError, match="differ"):
            await s.start()


async def test_a_second_start_is_an_error_and_harms_nothing() -> None:
    async with stage() as s:
        await s.start()
        sink = s.agent.output.audio
        with pytest.raises(RuntimeError, match="once"):
            await s.start()
        assert s.agent.output.audio is sink
        assert s.server.stops == []


async def test_a_start_after_close_is_an_error() -> None:
    async with stage() as s:
        await s.avatar.aclose()
        with pytest.raises(RuntimeError, match="once"):
            await s.start()


async def test_a_refused_start_leaves_everything_as_it_was() -> None:
    async with stage(refused(404, "AVATAR_NOT_FOUND")) as s:
        with pytest.raises(AvatarServerError) as raised:
            await s.start()
        assert raised.value.code == "AVATAR_NOT_FOUND"
        assert s.agent.output.audio is None
        s.assert_nothing_left()


async def test_a_cancelled_start_stops_the_avatar_that_came_too_late() -> None:
    async with stage(Answer(body={"session_id": "late"}, hold=True)) as s:
        task = asyncio.create_task(s.start())
        await s.server.arrived.wait()
        task.cancel()
        asyncio.get_running_loop().call_later(0.02, s.server.let_go.set)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [stop.json for stop in s.server.stops] == [{"session_id": "late"}]
        assert s.agent.output.audio is None
        s.assert_nothing_left()


async def test_wait_for_join_waits_for_the_connection_first() -> None:
    async with stage(connected=False) as s:
        job = SimpleNamespace(
            local_participant_identity="agent-AJ_1", add_shutdown_callback=lambda _: None
        )
        token = _JobContextVar.set(job)  # type: ignore[arg-type]
        try:
            await s.start()
        finally:
            _JobContextVar.reset(token)
        waiting = asyncio.create_task(s.avatar.wait_for_join(timeout=5))
        await asyncio.sleep(0)
        assert not waiting.done()
        s.room.connect()
        await asyncio.sleep(0)
        assert not waiting.done()
        s.room.join(IDENTITY)
        await waiting


async def test_wait_for_join_gives_up_and_says_when_it_cannot_wait() -> None:
    async with stage() as s:
        with pytest.raises(RuntimeError, match="not started"):
            await s.avatar.wait_for_join()
        await s.start()
        with pytest.raises(asyncio.TimeoutError):
            await s.avatar.wait_for_join(timeout=0.01)


async def test_the_join_is_measured() -> None:
    async with stage() as s:
        measured: list[AvatarMetrics] = []
        s.avatar.on("metrics_collected", measured.append)
        await s.start()
        s.room.join(IDENTITY)
        await s.avatar.wait_for_join(timeout=5)
        [metrics] = measured
        assert metrics.metadata is not None
        assert metrics.metadata.model_provider == "avaluma"
        assert metrics.avatar_joined_time is not None


async def test_nothing_personal_stands_in_a_message(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with stage(started(), license_key="KEY-CANARY", avatar_id="PERSON") as s:
        s.room.name = "ROOM-CANARY"
        await s.start()
        s.room.join("avatar-PERSON")
        await s.avatar.wait_for_join(timeout=5)
        s.room.leave("avatar-PERSON")
        token = s.server.starts[0].json["livekit_token"]
    records = [r for r in caplog.records if r.name == "livekit.plugins.avaluma"]
    assert records
    for record in records:
        fields = {k: v for k, v in vars(record).items() if not k.startswith("lk.pii.")}
        for canary in ("CANARY", "PERSON", token, s.server.url):
            assert canary not in str(fields)
