"""Byte streams of every kind, spoken by hand in a real room."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest

from avatar_worker.demo.livekit_server import LiveKitServer
from avatar_worker.engine import Engine
from fakes.scene import AGENT, Talker, avatar_in, join_request, speech, talker
from fakes.tokens import fresh_room

pytestmark = pytest.mark.e2e


@asynccontextmanager
async def by_hand(
    server: LiveKitServer, engine: Engine, *, identity: str = AGENT
) -> AsyncIterator[Talker]:
    """An avatar in a room of its own, and a participant who speaks the bare wire to it."""
    name = fresh_room()
    async with (
        avatar_in(engine, join_request(server, name)),
        talker(server, name, identity=identity) as it,
    ):
        await it.until_avatar(15.0)
        yield it


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
        assert agent.ends == [(0.0, False), (0.0, False), (0.3, False)]
        assert len(agent.errors) == 2
        assert "400" in agent.errors[1]["error"]


async def test_an_empty_segment_is_finished_at_zero(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    async with by_hand(livekit_server, engine) as agent:
        await agent.stream(0)
        await agent.until_finished(1)
        assert agent.ends == [(0.0, False)]


async def test_stereo_speech_is_played_as_one_voice(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    async with by_hand(livekit_server, engine) as agent:
        mono = np.frombuffer(speech(0.5), np.int16)
        stereo = {"sample_rate": "16000", "num_channels": "2"}
        writer = await agent.stream(0, attributes=stereo, close=False)
        await writer.write(np.repeat(mono, 2).tobytes())
        await writer.aclose()
        await agent.until_finished(1)
        assert agent.ends == [(0.5, False)]


async def test_another_agent_is_heard_though_livekit_announces_it_late(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    async with by_hand(livekit_server, engine, identity="agent-2") as other:
        await other.stream(0.5)
        await other.until_finished(1)
        assert other.ends == [(0.5, False)]
        assert other.errors == []


async def test_a_stream_whose_sender_vanishes_does_not_stop_the_next_one(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    name = fresh_room()
    async with avatar_in(engine, join_request(livekit_server, name)):
        async with talker(livekit_server, name) as first:
            await first.until_avatar(15.0)
            await first.stream(2.0, close=False)
        await asyncio.sleep(0.3)
        async with talker(livekit_server, name) as second:
            await second.until_avatar(15.0)
            await second.stream(0.5)
            # LiveKit announces leaves without tracks seconds late: the first one's end may be
            # told to its successor, who bears the same name. Its own must come all the same.
            async with asyncio.timeout(15.0):
                while (0.5, False) not in second.ends:
                    await asyncio.sleep(0.02)
            assert len(second.ends) <= 2
