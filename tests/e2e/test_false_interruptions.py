"""Noises that turn out to be nothing, with real agents in real jobs."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from avatar_worker.demo.livekit_server import LiveKitServer
from fakes.chat import LINES, LONG, chat
from livekit.agents.voice.turn import InterruptionOptions

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.mark.parametrize("door", ["http", "dispatch"])
async def test_a_false_interruption_pauses_the_avatar_and_loses_no_word(
    livekit_server: LiveKitServer, tmp_path: Path, door: str
) -> None:
    options: InterruptionOptions = {
        "resume_false_interruption": True,
        "false_interruption_timeout": 0.5,
    }
    text = " ".join(LINES)
    async with chat(livekit_server, tmp_path, door=door, interruption=options) as it:
        whole = await it.say(text)
        await it.played(whole)
        length = it.finished[0].playback_position

        handle = await it.say(text)
        began = await it.heard()
        await asyncio.sleep(1.0)
        await it.noise()
        asked = time.monotonic()
        await it.silent(1.0)
        assert time.monotonic() - asked < 3.0
        await asyncio.sleep(1.0)
        assert it.viewer.loudness(0.8) < 0.005, "a pause is silent"
        assert it.viewer.mouth_motion(0.5) < 0.4
        await it.noise_is_over()
        await it.heard()
        await it.played(handle)
        assert not handle.interrupted
        assert (await it.history()) == [text, text]
        assert it.finished[1].playback_position == pytest.approx(length, abs=0.1)
        assert time.monotonic() - began > length + 1.5


async def test_a_pause_that_becomes_an_interruption_reports_what_was_heard(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    async with chat(livekit_server, tmp_path) as it:
        handle = await it.say(LONG)
        began = await it.heard()
        await asyncio.sleep(1.0)
        await it.noise()
        paused = time.monotonic()
        await asyncio.sleep(1.0)
        await it.interrupt()
        await it.played(handle, 3)
        assert handle.interrupted
        assert it.finished[0].playback_position == pytest.approx(paused - began, abs=0.35)
        await it.noise_is_over()
        await it.played(await it.say(LINES[1]))
        assert (await it.history())[-1] == LINES[1]
