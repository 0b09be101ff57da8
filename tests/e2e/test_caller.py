"""Where the operator allows it, the avatar hears its agent's caller, and nobody else."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from avatar_worker.clock import MonotonicClock
from avatar_worker.demo.livekit_server import LiveKitServer
from avatar_worker.engine import Engine, Pipeline
from avatar_worker.features import Audio2Face
from avatar_worker.room.join import joiner
from avatar_worker.room.room_session import RoomOptions, RoomSession
from fakes.plain_renderer import PlainRenderer
from fakes.scene import AVATAR, RULES, Talker, join_request, talker
from fakes.tokens import fresh_room, viewer_token
from fakes.voice import MadeUpVoice
from livekit import rtc

pytestmark = pytest.mark.e2e


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine(Pipeline(PlainRenderer(), Audio2Face()))
    yield engine
    engine.close()
    assert engine.failed is None


@asynccontextmanager
async def avatar_in(
    server: LiveKitServer, engine: Engine, room: str, *, hear_caller: bool
) -> AsyncIterator[RoomSession]:
    options = RoomOptions(rules=RULES, drain_timeout=5.0, hear_caller=hear_caller)
    session = await joiner(engine, MonotonicClock(), options)(join_request(server, room))
    assert isinstance(session, RoomSession)
    try:
        yield session
    finally:
        await session.aclose("test")


@asynccontextmanager
async def microphone(
    who: Talker, source: rtc.TrackSource.ValueType = rtc.TrackSource.SOURCE_MICROPHONE
) -> AsyncIterator[None]:
    """Somebody speaks into a microphone until the end of the block."""
    audio = rtc.AudioSource(16_000, 1)
    track = rtc.LocalAudioTrack.create_audio_track("voice", audio)
    pcm = (np.clip(MadeUpVoice().sound(20.0), -1, 1) * 30_000).astype(np.int16)

    async def speak() -> None:
        for at in range(0, len(pcm) - 159, 160):
            await audio.capture_frame(rtc.AudioFrame(pcm[at : at + 160].tobytes(), 16_000, 1, 160))

    await who.room.local_participant.publish_track(track, rtc.TrackPublishOptions(source=source))
    speaking = asyncio.create_task(speak(), name="speak")
    try:
        yield
    finally:
        speaking.cancel()
        await asyncio.gather(speaking, return_exceptions=True)
        await audio.aclose()


async def name_caller(who: Talker, identity: str) -> str:
    return await who.room.local_participant.perform_rpc(
        destination_identity=AVATAR, method="avaluma.caller", payload=identity
    )


def heard(avatar: RoomSession) -> int:
    return avatar.counters().get("caller_heard_ms", 0)


async def until(condition: Any) -> None:
    async with asyncio.timeout(20.0):
        while not condition():
            await asyncio.sleep(0.05)


async def test_only_the_named_callers_microphone_is_heard(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    name = fresh_room()
    tokens = {who: viewer_token(livekit_server, name, identity=who) for who in ("ann", "bob")}
    async with (
        talker(livekit_server, name) as agent,
        talker(livekit_server, name, token=tokens["ann"]) as ann,
        talker(livekit_server, name, token=tokens["bob"]) as bob,
        avatar_in(livekit_server, engine, name, hear_caller=True) as avatar,
    ):
        await agent.until_avatar()
        await ann.until_avatar()
        async with microphone(ann), microphone(bob):
            with pytest.raises(rtc.RpcError) as caught:
                await name_caller(ann, "ann")
            assert caught.value.code == 2403
            await asyncio.sleep(1.0)
            assert heard(avatar) == 0
            assert await name_caller(agent, "ann") == "ok"
            await until(lambda: heard(avatar) > 1_000)
            people = avatar._room.remote_participants
            subscribed = {
                who: [p.subscribed for p in people[who].track_publications.values()]
                for who in ("ann", "bob")
            }
            assert subscribed == {"ann": [True], "bob": [False]}
            await name_caller(agent, "")
            await until(lambda: not any(_subscribed(avatar, "ann")))
            before = heard(avatar)
            await asyncio.sleep(1.0)
            assert heard(avatar) <= before + 200


def _subscribed(avatar: RoomSession, identity: str) -> list[bool]:
    participant = avatar._room.remote_participants[identity]
    return [p.subscribed for p in participant.track_publications.values()]


async def test_a_caller_who_comes_late_is_heard_and_its_other_tracks_are_not(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    name = fresh_room()
    token = viewer_token(livekit_server, name, identity="ann")
    async with (
        talker(livekit_server, name) as agent,
        avatar_in(livekit_server, engine, name, hear_caller=True) as avatar,
    ):
        await agent.until_avatar()
        await name_caller(agent, "ann")
        async with talker(livekit_server, name, token=token) as ann:
            await ann.until_avatar()
            screen = rtc.TrackSource.SOURCE_SCREENSHARE_AUDIO
            async with microphone(ann, screen):
                await asyncio.sleep(1.5)
                assert heard(avatar) == 0
                async with microphone(ann):
                    await until(lambda: heard(avatar) > 1_000)
                    assert sorted(_subscribed(avatar, "ann")) == [False, True]


async def test_by_default_nobody_is_heard(livekit_server: LiveKitServer, engine: Engine) -> None:
    name = fresh_room()
    token = viewer_token(livekit_server, name, identity="ann")
    async with (
        talker(livekit_server, name) as agent,
        talker(livekit_server, name, token=token) as ann,
        avatar_in(livekit_server, engine, name, hear_caller=False) as avatar,
    ):
        await agent.until_avatar()
        await ann.until_avatar()
        async with microphone(ann):
            with pytest.raises(rtc.RpcError) as caught:
                await name_caller(agent, "ann")
            assert caught.value.code == rtc.RpcError.ErrorCode.UNSUPPORTED_METHOD
            await asyncio.sleep(1.0)
            assert _subscribed(avatar, "ann") == [False]
            assert "caller_heard_ms" not in avatar.counters()


async def test_a_session_that_listened_leaves_nothing_behind(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    name = fresh_room()
    token = viewer_token(livekit_server, name, identity="ann")
    gc.collect()
    gc.disable()
    try:
        async with (
            talker(livekit_server, name) as agent,
            talker(livekit_server, name, token=token) as ann,
            microphone(ann),
        ):
            left = await listen_for_a_while(livekit_server, engine, name, agent)
            async with asyncio.timeout(10.0):
                while any(ref() is not None for ref in left):
                    await asyncio.sleep(0.05)
    finally:
        gc.enable()
    assert not [t for t in asyncio.all_tasks() if t.get_name() == "caller-listen"]


async def listen_for_a_while(
    server: LiveKitServer, engine: Engine, name: str, agent: Talker
) -> list[weakref.ref[Any]]:
    async with avatar_in(server, engine, name, hear_caller=True) as avatar:
        await agent.until_avatar()
        await name_caller(agent, "ann")
        await until(lambda: heard(avatar) > 200)
        assert avatar._stage is not None
        held = (avatar, avatar._stage.caller, avatar._room)
        return [weakref.ref(part) for part in held]
