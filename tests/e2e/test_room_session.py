"""The room layer on a real livekit-server, driven by LiveKit's own sender."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from avatar_worker.avatars import Canvas
from avatar_worker.clock import MonotonicClock, ms
from avatar_worker.demo.livekit_server import LiveKitServer
from avatar_worker.engine import Engine, Pipeline
from avatar_worker.errors import PeerError
from avatar_worker.features import Audio2Face
from avatar_worker.room.door import JoinRequest, RunningSession, SpeechFrom
from avatar_worker.room.join import joiner
from avatar_worker.room.presence import LeaveRules
from avatar_worker.room.room_session import RoomOptions
from fakes.avatars import tiny_avatar
from fakes.plain_renderer import PlainRenderer
from fakes.tokens import admin, agent_token, avatar_token, fresh_room, viewer_token
from fakes.viewer import Viewer, watch
from livekit import api, rtc
from livekit.agents.voice.avatar import DataStreamAudioOutput
from livekit.agents.voice.io import PlaybackFinishedEvent

pytestmark = pytest.mark.e2e

AGENT = "agent-AJ_test"
AVATAR = "avatar-demo"
RULES = LeaveRules(agent_gone=ms(1_500), agent_never_came=ms(6_000), alone=ms(1_500))


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine(Pipeline(PlainRenderer(), Audio2Face()))
    yield engine
    engine.close()
    assert engine.failed is None


def speech(seconds: float, rate: int = 16_000) -> rtc.AudioFrame:
    """A voice-like buzz: loud, harmonic, syllables at 4 Hz."""
    t = np.arange(int(seconds * rate)) / rate
    buzz = sum(np.sin(2 * np.pi * 130 * k * t) / k for k in range(1, 20))
    wave = 0.25 * buzz * (0.55 + 0.45 * np.sin(2 * np.pi * 4 * t))
    pcm = (np.clip(wave, -1, 1) * 30_000).astype(np.int16)
    return rtc.AudioFrame(pcm.tobytes(), rate, 1, len(pcm))


@dataclass
class Sender:
    """An agent's end of the room with LiveKit's real output class."""

    room: rtc.Room
    output: DataStreamAudioOutput
    finished: list[PlaybackFinishedEvent] = field(default_factory=list)
    started: list[float] = field(default_factory=list)

    async def say(self, seconds: float, rate: int = 16_000) -> None:
        frame = speech(seconds, rate)
        step = rate // 10
        data = np.frombuffer(frame.data, np.int16)
        for at in range(0, len(data), step):
            part = data[at : at + step]
            await self.output.capture_frame(rtc.AudioFrame(part.tobytes(), rate, 1, len(part)))
        self.output.flush()

    async def until_finished(self, count: int, timeout: float = 10.0) -> None:
        async with asyncio.timeout(timeout):
            while len(self.finished) < count:
                await asyncio.sleep(0.02)


@asynccontextmanager
async def sender(
    server: LiveKitServer, room_name: str, *, identity: str = AGENT, rate: int = 16_000
) -> AsyncIterator[Sender]:
    room = rtc.Room()
    await room.connect(server.url, agent_token(server, room_name, identity=identity))
    output = DataStreamAudioOutput(
        room,
        destination_identity=AVATAR,
        sample_rate=rate,
        wait_remote_track=rtc.TrackKind.KIND_VIDEO,
        wait_playback_start=True,
    )
    it = Sender(room, output)
    output.on("playback_finished", it.finished.append)
    output.on("playback_started", lambda event: it.started.append(time.monotonic()))
    try:
        yield it
    finally:
        await room.disconnect()


def request(server: LiveKitServer, room_name: str, **changes: object) -> JoinRequest:
    canvas = Canvas(width=64, height=80, fps=25, matrix="bt601", range="limited")
    base = JoinRequest(
        session_id="sess_0123456789abcdef",
        url=server.url,
        token=avatar_token(server, room_name),
        room_name=room_name,
        identity=AVATAR,
        on_behalf=AGENT,
        avatar=replace(tiny_avatar("demo"), canvas=canvas),
        avatar_id="demo",
        speech_from=SpeechFrom.AGENTS,
        max_duration=600.0,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


@asynccontextmanager
async def avatar_in(
    engine: Engine, asked: JoinRequest, rules: LeaveRules = RULES
) -> AsyncIterator[RunningSession]:
    join = joiner(engine, MonotonicClock(), RoomOptions(rules=rules, drain_timeout=5.0))
    session = await join(asked)
    try:
        yield session
    finally:
        await session.aclose("test")


@asynccontextmanager
async def scene(
    server: LiveKitServer, engine: Engine, **changes: object
) -> AsyncIterator[tuple[RunningSession, Sender, Viewer]]:
    """An avatar, its agent and a viewer in one room."""
    name = fresh_room()
    async with (
        sender(server, name) as agent,
        watch(server.url, viewer_token(server, name), identity=AVATAR) as viewer,
        avatar_in(engine, request(server, name, **changes)) as session,
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
        avatar_in(engine, request(livekit_server, name)),
    ):
        await agent.say(0.5, rate)
        await agent.until_finished(1)
        assert agent.finished[0].playback_position == pytest.approx(0.5, abs=0.001)


async def test_a_clear_in_one_room_never_touches_another_with_the_same_identities(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    # LiveKit's own sender keeps its answers by identity for the whole process, so the second
    # agent speaks the wire by hand.
    async with (
        scene(livekit_server, engine) as (_, first, _),
        by_hand(livekit_server, engine) as second,
    ):
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


@dataclass
class ByHand:
    """The wire spoken without LiveKit's classes."""

    room: rtc.Room
    finished: list[dict[str, object]] = field(default_factory=list)
    errors: list[dict[str, str]] = field(default_factory=list)

    async def stream(
        self, seconds: float, *, attributes: dict[str, str] | None = None, close: bool = True
    ) -> rtc.ByteStreamWriter:
        given = {"sample_rate": "16000", "num_channels": "1"} if attributes is None else attributes
        writer = await self.room.local_participant.stream_bytes(
            "AUDIO_1", topic="lk.audio_stream", destination_identities=[AVATAR], attributes=given
        )
        if seconds:
            await writer.write(bytes(speech(seconds).data))
        if close:
            await writer.aclose()
        return writer

    async def clear(self) -> None:
        await self.room.local_participant.perform_rpc(
            destination_identity=AVATAR, method="lk.clear_buffer", payload=""
        )

    async def until_finished(self, count: int, timeout: float = 10.0) -> None:
        async with asyncio.timeout(timeout):
            while len(self.finished) < count:
                await asyncio.sleep(0.02)


async def join_by_hand(room: rtc.Room, url: str, token: str) -> ByHand:
    it = ByHand(room)
    room.on(
        "data_received",
        lambda packet: (
            it.errors.append(json.loads(packet.data)) if packet.topic == "avaluma.error" else None
        ),
    )
    await room.connect(url, token)

    def finished(call: rtc.RpcInvocationData) -> str:
        it.finished.append(json.loads(call.payload))
        return "ok"

    room.local_participant.register_rpc_method("lk.playback_finished", finished)
    async with asyncio.timeout(15.0):
        while not (
            (avatar := room.remote_participants.get(AVATAR)) and len(avatar.track_publications) == 2
        ):
            await asyncio.sleep(0.02)
    return it


@asynccontextmanager
async def by_hand(
    server: LiveKitServer,
    engine: Engine,
    *,
    identity: str = AGENT,
    person: bool = False,
    **changes: object,
) -> AsyncIterator[ByHand]:
    """An avatar in a room of its own, and a participant who speaks the bare wire to it."""
    name = fresh_room()
    token = (
        viewer_token(server, name, identity=identity)
        if person
        else agent_token(server, name, identity=identity)
    )
    room = rtc.Room()
    async with avatar_in(engine, request(server, name, **changes)):
        try:
            yield await join_by_hand(room, server.url, token)
        finally:
            await room.disconnect()


async def test_a_stream_without_attributes_is_taken_for_16_khz_mono(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    async with by_hand(livekit_server, engine) as agent:
        await agent.stream(0.5, attributes={})
        await agent.until_finished(1)
        assert agent.finished == [
            {"playback_position": 0.5, "interrupted": False, "synchronized_transcript": None}
        ]


async def test_an_unreadable_stream_is_answered_and_hurts_only_itself(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    async with by_hand(livekit_server, engine) as agent:
        await agent.stream(0.2, attributes={"sample_rate": "fast", "num_channels": "1"})
        await agent.stream(0.2, attributes={"sample_rate": "400", "num_channels": "9"})
        await agent.stream(0.3)
        await agent.until_finished(3)
        assert [f["playback_position"] for f in agent.finished] == [0.0, 0.0, 0.3]
        assert len(agent.errors) == 2
        assert "400" in agent.errors[1]["error"]


async def test_an_empty_segment_is_finished_at_zero(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    async with by_hand(livekit_server, engine) as agent:
        await agent.stream(0)
        await agent.until_finished(1)
        assert agent.finished[0]["playback_position"] == 0.0
        assert agent.finished[0]["interrupted"] is False


async def test_a_stream_whose_sender_vanishes_does_not_stop_the_next_one(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    name = fresh_room()
    async with avatar_in(engine, request(livekit_server, name)):
        first = await join_by_hand(
            rtc.Room(), livekit_server.url, agent_token(livekit_server, name)
        )
        await first.stream(2.0, close=False)
        await first.room.disconnect()
        await asyncio.sleep(0.3)
        again = rtc.Room()
        second = await join_by_hand(again, livekit_server.url, agent_token(livekit_server, name))
        await second.stream(0.5)
        # LiveKit announces leaves without tracks seconds late: the first one's end may be told
        # to its successor, who bears the same name. Its own must come all the same.
        async with asyncio.timeout(15.0):
            while 0.5 not in [f["playback_position"] for f in second.finished]:
                await asyncio.sleep(0.02)
        assert len(second.finished) <= 2
        await again.disconnect()


async def test_a_stranger_is_refused_with_the_setting_that_would_admit_it(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    async with by_hand(livekit_server, engine, identity="guest", person=True) as guest:
        await guest.stream(0.5)
        async with asyncio.timeout(15.0):
            while not guest.errors:
                await asyncio.sleep(0.02)
        assert "speech_from" in guest.errors[0]["error"]
        assert guest.finished == []


async def test_anybody_may_speak_where_the_starter_says_so(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    async with by_hand(
        livekit_server, engine, identity="guest", person=True, speech_from=SpeechFrom.ANY
    ) as guest:
        await guest.stream(0.5)
        await guest.until_finished(1)
        assert guest.finished[0]["playback_position"] == 0.5


async def test_the_avatar_leaves_after_its_agent_and_a_grace_period(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    name = fresh_room()
    async with (
        watch(livekit_server.url, viewer_token(livekit_server, name)) as viewer,
        avatar_in(engine, request(livekit_server, name)) as session,
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
        avatar_in(engine, request(livekit_server, fresh_room())) as session,
        asyncio.timeout(10),
    ):
        assert await session.wait_closed() == "agent_never_came"


async def test_the_end_of_the_room_ends_the_session(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    name = fresh_room()
    async with avatar_in(engine, request(livekit_server, name)) as session:
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
        async with avatar_in(engine, request(livekit_server, name, token=avatar_token(bad, name))):
            pass


async def test_an_unreachable_livekit_is_a_peer_error(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    with pytest.raises(PeerError):
        async with avatar_in(engine, request(livekit_server, fresh_room(), url="ws://127.0.0.1:9")):
            pass


async def test_another_agent_is_heard_though_livekit_announces_it_late(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    async with by_hand(livekit_server, engine, identity="agent-2") as other:
        await other.stream(0.5)
        await other.until_finished(1)
        assert other.finished[0]["playback_position"] == 0.5
        assert other.errors == []


async def test_stereo_speech_is_played_as_one_voice(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    async with by_hand(livekit_server, engine) as agent:
        mono = np.frombuffer(speech(0.5).data, np.int16)
        writer = await agent.stream(
            0, attributes={"sample_rate": "16000", "num_channels": "2"}, close=False
        )
        await writer.write(np.repeat(mono, 2).tobytes())
        await writer.aclose()
        await agent.until_finished(1)
        assert agent.finished[0]["playback_position"] == 0.5
