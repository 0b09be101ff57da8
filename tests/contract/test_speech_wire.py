"""Speech over byte streams, by hand on the bare wire: every stream is answered once, with its position."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from avatar_worker.engine import Engine
from fakes.networks import PATIENCE, SETTLES, Network, scene
from fakes.scene import Talker, speech


async def ends_are(sender: Talker, *expected: tuple[float, bool]) -> None:
    """These reports come, in this order, and no others."""
    await sender.until_finished(len(expected), PATIENCE)
    await asyncio.sleep(SETTLES)
    assert sender.ends == list(expected)


# -- streams -------------------------------------------------------------------------------------


async def test_a_segment_is_begun_played_whole_and_finished_once(
    network: Network, engine: Engine
) -> None:
    async with scene(network, engine) as room:
        agent = await room.agent()
        await agent.stream(0.7)
        await agent.until_finished(1, PATIENCE)
        await asyncio.sleep(SETTLES)
        assert agent.finished == [
            {"playback_position": 0.7, "interrupted": False, "synchronized_transcript": None}
        ]
        assert agent.started == 1


async def test_a_stream_without_attributes_is_taken_for_16_khz_mono(
    network: Network, engine: Engine
) -> None:
    async with scene(network, engine) as room:
        agent = await room.agent()
        await agent.stream(0.5, attributes={})
        await ends_are(agent, (0.5, False))


@pytest.mark.parametrize("rate", [8_000, 22_050, 24_000, 44_100, 48_000])
async def test_speech_of_any_rate_takes_its_own_time(
    network: Network, engine: Engine, rate: int
) -> None:
    async with scene(network, engine) as room:
        agent = await room.agent()
        await agent.stream(0.6, rate=rate)
        await agent.until_finished(1, PATIENCE)
        [(position, interrupted)] = agent.ends
        assert position == pytest.approx(0.6, abs=0.001)
        assert not interrupted


async def test_an_unreadable_stream_is_answered_and_hurts_only_itself(
    network: Network, engine: Engine
) -> None:
    async with scene(network, engine) as room:
        agent = await room.agent()
        await agent.stream(0.2, attributes={"sample_rate": "fast", "num_channels": "1"})
        await agent.stream(0.2, attributes={"sample_rate": "400", "num_channels": "9"})
        await agent.stream(0.3)
        await ends_are(agent, (0.0, False), (0.0, False), (0.3, False))
        assert len(agent.errors) == 2
        assert "400" in agent.errors[1]["error"]
        assert room.counter("streams_unreadable") == 2


async def test_a_stream_that_its_sender_aborts_ends_with_what_had_come(
    network: Network, engine: Engine
) -> None:
    async with scene(network, engine) as room:
        agent = await room.agent()
        writer = await agent.stream(0.4, close=False)
        await room.until_it_plays()
        await writer.aclose(reason="the voice failed")
        await agent.stream(0.3)
        await ends_are(agent, (0.4, False), (0.3, False))
        assert room.counter("streams_broken") == 1


async def test_an_empty_segment_is_finished_at_zero(network: Network, engine: Engine) -> None:
    async with scene(network, engine) as room:
        agent = await room.agent()
        await agent.stream(0)
        await ends_are(agent, (0.0, False))
        assert agent.started == 0


async def test_stereo_speech_is_played_as_one_voice(network: Network, engine: Engine) -> None:
    async with scene(network, engine) as room:
        agent = await room.agent()
        mono = np.frombuffer(speech(0.5), np.int16)
        stereo = {"sample_rate": "16000", "num_channels": "2"}
        writer = await agent.stream(0, attributes=stereo, close=False)
        await writer.write(np.repeat(mono, 2).tobytes())
        await writer.aclose()
        await ends_are(agent, (0.5, False))


async def test_a_sample_may_be_cut_anywhere(network: Network, engine: Engine) -> None:
    async with scene(network, engine) as room:
        agent = await room.agent()
        pcm = speech(0.3)
        writer = await agent.stream(0, close=False)
        for begin, end in ((0, 1), (1, 4_000), (4_000, 6_001), (6_001, len(pcm))):
            await writer.write(pcm[begin:end])
        await writer.aclose()
        await ends_are(agent, (0.3, False))


async def test_speaking_again_before_the_end_is_said_after_it(
    network: Network, engine: Engine
) -> None:
    async with scene(network, engine) as room:
        agent = await room.agent()
        for seconds in (0.6, 0.2, 0.4):
            await agent.stream(seconds)
        await ends_are(agent, (0.6, False), (0.2, False), (0.4, False))
        assert agent.started == 3


async def test_the_next_stream_ends_one_whose_trailer_was_lost(
    network: Network, engine: Engine
) -> None:
    async with scene(network, engine) as room:
        agent = await room.agent()
        await agent.stream(0.4, close=False)
        await room.until_it_plays()
        await agent.stream(0.3)
        await ends_are(agent, (0.4, False), (0.3, False))


# -- interruptions -------------------------------------------------------------------------------


async def test_a_clear_ends_what_is_heard_where_it_was_and_the_next_one_is_whole(
    network: Network, engine: Engine
) -> None:
    async with scene(network, engine) as room:
        agent = await room.agent()
        await agent.stream(5.0)
        await room.until_it_plays(500)
        await agent.clear()
        await agent.until_finished(1, PATIENCE)
        position, interrupted = agent.ends[0]
        assert interrupted
        assert 0.4 < position < 4.0
        await agent.stream(0.4)
        await ends_are(agent, (position, True), (0.4, False))
        assert agent.started == 2


async def test_a_clear_takes_everything_of_its_sender_that_waits(
    network: Network, engine: Engine
) -> None:
    async with scene(network, engine) as room:
        agent = await room.agent()
        for seconds in (3.0, 1.0, 0.5):
            await agent.stream(seconds)
        await room.until_it_plays(300)
        await agent.clear()
        await agent.until_finished(3, PATIENCE)
        await asyncio.sleep(SETTLES)
        assert [interrupted for _, interrupted in agent.ends] == [True] * 3
        assert [position for position, _ in agent.ends[1:]] == [0.0, 0.0]
        assert agent.started == 1


async def test_a_second_clear_and_a_clear_with_nothing_to_say_report_nothing(
    network: Network, engine: Engine
) -> None:
    async with scene(network, engine) as room:
        agent = await room.agent()
        await agent.clear()
        await agent.stream(3.0)
        await room.until_it_plays(300)
        await agent.clear()
        await agent.clear()
        await agent.until_finished(1, PATIENCE)
        await asyncio.sleep(SETTLES)
        assert len(agent.finished) == 1
        assert room.counter("clears") == 3


async def test_chunks_and_a_trailer_that_come_after_the_clear_belong_to_nobody(
    network: Network, engine: Engine
) -> None:
    async with scene(network, engine) as room:
        agent = await room.agent()
        writer = await agent.stream(2.0, close=False)
        await room.until_it_plays(300)
        await agent.clear()
        await agent.until_finished(1, PATIENCE)
        await writer.write(speech(1.0))
        await writer.aclose()
        await agent.stream(0.4)
        await agent.until_finished(2, PATIENCE)
        await asyncio.sleep(SETTLES)
        assert agent.ends[1:] == [(0.4, False)]
        assert agent.ends[0][0] < 2.0


async def test_a_burst_of_clears_and_words_loses_no_report(
    network: Network, engine: Engine
) -> None:
    async with scene(network, engine) as room:
        agent = await room.agent()
        for number in range(8):
            await agent.stream(0.8)
            await asyncio.sleep(0.03 * number)
            await agent.clear()
        await agent.stream(0.2)
        await agent.until_finished(9, PATIENCE)
        await asyncio.sleep(SETTLES)
        assert len(agent.finished) == 9
        assert all(interrupted for _, interrupted in agent.ends[:8])
        assert agent.ends[8] == (0.2, False)
