"""The agent's own track, on the SDK's real audio source."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from fakes.agent_room import AgentRoom
from livekit import rtc
from livekit.agents.voice.io import PlaybackFinishedEvent
from livekit.plugins.avaluma.voice import SAMPLE_RATE, AgentVoice


def tone(seconds: float, rate: int = SAMPLE_RATE) -> rtc.AudioFrame:
    samples = int(seconds * rate)
    wave = 8000 * np.sin(2 * np.pi * 440 * np.arange(samples) / rate)
    return rtc.AudioFrame(wave.astype(np.int16).tobytes(), rate, 1, samples)


@dataclass
class Speaker:
    """A voice, and who listens to its track."""

    room: AgentRoom
    voice: AgentVoice
    started: int = 0
    finished: list[PlaybackFinishedEvent] = field(default_factory=list)

    def on_started(self, _: object) -> None:
        self.started += 1

    async def heard(self, seconds: float) -> float:
        """Loudness of the track's next seconds, 0 to 1."""
        track: Any = self.room.local.published[-1].track
        stream = rtc.AudioStream(track, sample_rate=SAMPLE_RATE, num_channels=1)
        loud: list[float] = []
        try:
            async for event in stream:
                part = np.frombuffer(event.frame.data, np.int16) / 32768
                loud.append(float(np.abs(part).max()))
                if len(loud) >= seconds * 100:
                    break
        finally:
            await stream.aclose()
        return max(loud)


@asynccontextmanager
async def speaker(room: AgentRoom | None = None) -> AsyncIterator[Speaker]:
    room = room or AgentRoom()
    room.connect()
    it = Speaker(room, AgentVoice(room.as_room()))
    it.voice.on("playback_started", it.on_started)
    it.voice.on("playback_finished", it.finished.append)
    try:
        yield it
    finally:
        await it.voice.aclose()
        await it.voice.aclose()
        assert room.local.track_publications == {}
        assert not [t for t in asyncio.all_tasks() if t.get_name().startswith("avaluma.")]


async def test_a_voice_publishes_nothing_before_its_first_word() -> None:
    async with speaker() as it:
        assert it.room.local.published == []


async def test_speech_is_heard_and_finished_with_its_length() -> None:
    async with speaker() as it:
        capturing = asyncio.create_task(it.voice.capture_frame(tone(0.5)))
        while not it.started:
            await asyncio.sleep(0.005)
        assert await it.heard(0.2) > 0.1
        await capturing
        it.voice.flush()
        assert it.finished == []
        event = await asyncio.wait_for(it.voice.wait_for_playout(), 10)
        assert event.playback_position == pytest.approx(0.5)
        assert not event.interrupted
        assert (it.started, len(it.finished)) == (1, 1)
        assert len(it.room.local.published) == 1


async def test_segments_follow_each_other_and_are_finished_one_by_one() -> None:
    async with speaker() as it:
        for seconds in (0.2, 0.1, 0.15):
            await it.voice.capture_frame(tone(seconds))
            it.voice.flush()
        await asyncio.wait_for(it.voice.wait_for_playout(), 10)
        assert [e.playback_position for e in it.finished] == [
            pytest.approx(0.2),
            pytest.approx(0.1),
            pytest.approx(0.15),
        ]
        assert it.started == 3
        assert len(it.room.local.published) == 1


@pytest.mark.parametrize("rate", [16_000, 22_050, 48_000])
async def test_speech_of_another_rate_keeps_its_length(rate: int) -> None:
    async with speaker() as it:
        for _ in range(5):
            await it.voice.capture_frame(tone(0.1, rate))
        it.voice.flush()
        event = await asyncio.wait_for(it.voice.wait_for_playout(), 10)
        assert event.playback_position == pytest.approx(0.5, abs=0.03)


async def test_an_interruption_reports_what_was_heard_and_drops_the_rest() -> None:
    async with speaker() as it:
        capturing = asyncio.create_task(it.voice.capture_frame(tone(20.0)))
        while not it.started:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.3)
        it.voice.clear_buffer()
        await asyncio.wait_for(capturing, 10)
        it.voice.flush()
        event = await asyncio.wait_for(it.voice.wait_for_playout(), 10)
        assert event.interrupted
        assert 0 < event.playback_position < 20.0
        assert await it.heard(0.2) < 0.01

        await it.voice.capture_frame(tone(0.1))
        it.voice.flush()
        event = await asyncio.wait_for(it.voice.wait_for_playout(), 10)
        assert (event.playback_position, event.interrupted) == (pytest.approx(0.1), False)


async def test_an_interruption_of_what_is_all_sent_is_one_too() -> None:
    async with speaker() as it:
        await it.voice.capture_frame(tone(0.3))
        it.voice.flush()
        it.voice.clear_buffer()
        it.voice.clear_buffer()
        event = await asyncio.wait_for(it.voice.wait_for_playout(), 10)
        assert event.interrupted
        assert event.playback_position < 0.3
        assert len(it.finished) == 1


async def test_an_interruption_of_nothing_is_nothing() -> None:
    async with speaker() as it:
        it.voice.clear_buffer()
        it.voice.flush()
        await it.voice.capture_frame(tone(0.1))
        it.voice.flush()
        assert not (await asyncio.wait_for(it.voice.wait_for_playout(), 10)).interrupted


async def test_a_pause_loses_no_word() -> None:
    async with speaker() as it:
        capturing = asyncio.create_task(it.voice.capture_frame(tone(0.6)))
        while not it.started:
            await asyncio.sleep(0.005)
        it.voice.pause()
        await asyncio.sleep(1.0)
        assert not capturing.done()
        assert await it.heard(0.2) < 0.01
        it.voice.resume()
        await asyncio.wait_for(capturing, 10)
        it.voice.flush()
        event = await asyncio.wait_for(it.voice.wait_for_playout(), 10)
        assert (event.playback_position, event.interrupted) == (pytest.approx(0.6), False)


async def test_a_pause_that_becomes_an_interruption_ends() -> None:
    async with speaker() as it:
        capturing = asyncio.create_task(it.voice.capture_frame(tone(5.0)))
        while not it.started:
            await asyncio.sleep(0.005)
        it.voice.pause()
        await asyncio.sleep(0.2)
        it.voice.clear_buffer()
        await asyncio.wait_for(capturing, 10)
        it.voice.flush()
        assert (await asyncio.wait_for(it.voice.wait_for_playout(), 10)).interrupted


async def test_a_voice_that_retires_says_its_word_first() -> None:
    async with speaker() as it:
        await it.voice.capture_frame(tone(0.3))
        it.voice.retire()
        await it.voice.capture_frame(tone(0.3))
        it.voice.flush()
        event = await asyncio.wait_for(it.voice.wait_for_playout(), 10)
        assert (event.playback_position, event.interrupted) == (pytest.approx(0.6), False)


async def test_a_voice_that_is_gone_swallows_what_still_comes_and_finishes_it() -> None:
    async with speaker() as it:
        await it.voice.capture_frame(tone(0.1))
        await it.voice.aclose()
        assert it.finished[0].interrupted
        await it.voice.capture_frame(tone(0.1))
        it.voice.flush()
        event = await asyncio.wait_for(it.voice.wait_for_playout(), 10)
        assert (event.playback_position, event.interrupted) == (0.0, True)
        assert it.started == 1


class DeafRoom(AgentRoom):
    """A room that lets nobody publish."""

    def __init__(self) -> None:
        super().__init__()

        async def refuse(track: Any, options: Any) -> Any:
            raise RuntimeError("canary")

        self.local.publish_track = refuse  # type: ignore[method-assign]


async def test_where_it_may_not_publish_speech_comes_to_its_end_all_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR, "livekit.plugins.avaluma"):
        async with speaker(DeafRoom()) as it:
            await it.voice.capture_frame(tone(0.1))
            it.voice.flush()
            await asyncio.wait_for(it.voice.wait_for_playout(), 10)
    [record] = caplog.records
    assert "could not be published" in record.getMessage()
    assert "canary" not in str(vars(record))
