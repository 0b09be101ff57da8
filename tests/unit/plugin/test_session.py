from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import jwt
import pytest

from fakes.agent_room import AgentRoom, handler_count
from fakes.avatar_server import Answer, AvatarServerStub, refused, serving, started
from livekit import rtc
from livekit.agents import AgentSession, APIConnectOptions, utils
from livekit.agents.job import _JobContextVar
from livekit.agents.metrics.base import AvatarMetrics
from livekit.plugins.avaluma import (
    AvalumaException,
    AvatarClosedError,
    AvatarServerError,
    AvatarSession,
    AvatarSettingsError,
)
from livekit.plugins.avaluma.output import AvatarAudioOutput
from livekit.plugins.avaluma.voice import AgentVoice

from .conftest import LIVEKIT_SECRET

FAST = APIConnectOptions(max_retry=1, retry_interval=0.01, timeout=2.0)
IDENTITY = "avatar-demo"


class Stage:
    """An agent, a room, an avatar server and a session that is not started."""

    def __init__(self, server: AvatarServerStub, **options: Any) -> None:
        self.server = server
        self.agent: AgentSession[Any] = AgentSession()
        self.room = AgentRoom()
        self.avatar = AvatarSession(avatar_server_url=server.url, conn_options=FAST, **options)
        self.handlers_before = handler_count(self.agent)

    async def start(self, **access: str) -> None:
        await self.avatar.start(self.agent, self.room.as_room(), **access)

    def assert_nothing_left(self) -> None:
        assert self.room.handler_count() == 0
        assert handler_count(self.agent) == self.handlers_before
        assert not [t for t in asyncio.all_tasks() if t.get_name().startswith("avaluma.")]


@asynccontextmanager
async def stage(*script: Answer, connected: bool = True, **options: Any) -> AsyncIterator[Stage]:
    async with serving(*script) as server, utils.http_context.open():
        set_up = Stage(server, **options)
        if connected:
            set_up.room.connect()
        try:
            yield set_up
        finally:
            await set_up.avatar.aclose()
            set_up.assert_nothing_left()


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


async def test_closing_while_starting_ends_the_start() -> None:
    async with stage(Answer(body={"session_id": "late"}, hold=True)) as s:
        task = asyncio.create_task(s.start())
        await s.server.arrived.wait()
        asyncio.get_running_loop().call_later(0.02, s.server.let_go.set)
        await s.avatar.aclose()
        with pytest.raises(AvatarClosedError):
            await task
        assert len(s.server.stops) == 1


async def test_close_stops_the_avatar_and_gives_the_voice_back() -> None:
    async with stage() as s:
        await s.start()
        await s.avatar.aclose()
        assert [stop.json for stop in s.server.stops] == [{"session_id": "sess_0123456789abcdef"}]
        assert s.agent.output.audio is None
        s.assert_nothing_left()


async def test_close_is_the_same_any_number_of_times_and_from_many_tasks() -> None:
    async with stage() as s:
        await s.avatar.aclose()
        await s.avatar.aclose()
    async with stage() as s:
        await s.start()
        await asyncio.gather(*(s.avatar.aclose() for _ in range(3)))
        await s.avatar.aclose()
        assert len(s.server.stops) == 1


async def test_a_close_whose_caller_gives_up_is_completed() -> None:
    async with stage() as s:
        await s.start()
        closing = asyncio.create_task(s.avatar.aclose())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        await s.avatar.aclose()
        assert len(s.server.stops) == 1


async def test_close_after_the_room_is_gone_still_stops_the_avatar() -> None:
    async with stage() as s:
        await s.start()
        s.room.join(IDENTITY)
        s.room.disconnect()
        await s.avatar.aclose()
        assert len(s.server.stops) == 1


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


class Job:
    """A job whose room API remembers whom it removed."""

    def __init__(self) -> None:
        self.local_participant_identity = "agent-AJ_1"
        self.removed: list[str] = []
        self.at_shutdown: list[Any] = []
        self.api = SimpleNamespace(room=self)

    def add_shutdown_callback(self, callback: Any) -> None:
        self.at_shutdown.append(callback)

    async def remove_participant(self, who: Any) -> None:
        self.removed.append(who.identity)


async def test_in_a_job_the_close_is_registered_and_removes_the_avatar() -> None:
    async with stage() as s:
        job = Job()
        token = _JobContextVar.set(job)  # type: ignore[arg-type]
        try:
            await s.start()
            [close] = job.at_shutdown
            await close()
        finally:
            _JobContextVar.reset(token)
        assert job.removed == [IDENTITY]
        assert len(s.server.stops) == 1


async def test_after_a_refusal_nobody_elses_avatar_is_removed() -> None:
    async with stage(refused(409, "AVATAR_ALREADY_ACTIVE")) as s:
        job = Job()
        token = _JobContextVar.set(job)  # type: ignore[arg-type]
        try:
            with pytest.raises(AvatarServerError):
                await s.start()
        finally:
            _JobContextVar.reset(token)
        assert job.removed == []


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
