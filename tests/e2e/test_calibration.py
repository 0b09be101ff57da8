"""Marked pictures and bursts of sound go the normal way from an agent to a viewer's process."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from benchmarks.measuring import analysis
from benchmarks.measuring.scene import PATHS, scene
from benchmarks.measuring.stimulus import bursts, ruler

from avatar_worker.demo.livekit_server import LiveKitServer

pytestmark = pytest.mark.e2e

BURSTS = 5


@pytest.mark.parametrize("path", PATHS)
async def test_bursts_are_heard_and_seen_together_and_pictures_come_in_order(
    livekit_server: LiveKitServer, path: str
) -> None:
    async with scene(livekit_server, path) as there:
        await there.say_all(bursts(BURSTS, seed=7)[0])
        sent, seen = await there.recordings()

    for recorded in (sent, seen):
        steps = np.diff(recorded.counts) % 65_536
        # Switching between its two layers, the stock path may deliver a picture twice.
        assert (steps >= (1 if path == "ours" else 0)).all()
        assert (steps < 1_000).all(), "pictures come in order"
        # A busy machine may lose a burst's three pictures or tear its sound; never most of them.
        paired = analysis.pair(analysis.picture_onsets(recorded), analysis.sound_onsets(recorded))
        assert BURSTS - 1 <= len(paired[0]) <= BURSTS + 1
    assert set(seen.counts) <= set(sent.counts), "the viewer saw what was not sent"
    assert len(sent.streams) == 1


async def test_an_interrupted_segment_is_heard_as_far_as_is_reported(
    livekit_server: LiveKitServer,
) -> None:
    async with scene(livekit_server, "ours") as there:
        said = await there.agent.say(ruler(5.0))
        assert await there.agent.until("started", 1, 15.0)
        await asyncio.sleep(0.8)
        await there.agent.clear()
        assert await there.agent.until("finished", 1, 15.0)
        await asyncio.sleep(0.8)
        sent, seen = await there.recordings()

    ((_, report),) = there.agent.finished
    assert report["interrupted"]
    assert there.agent.started[0] > said
    for recorded in (sent, seen):
        heard = analysis.ruler_position(recorded, said, np.inf)
        assert heard is not None
        assert heard == pytest.approx(report["playback_position"], rel=0.5)
    assert not sent.speaking[-1], "the mouth has closed"
