"""Speech and reports over a link between worker and livekit-server that loses packets."""

from __future__ import annotations

import asyncio
import time

import pytest

from avatar_worker.engine import Engine
from fakes.lossy_link import lossy_link
from fakes.scene import AVATAR, avatar_in, join_request, talker
from fakes.tokens import fresh_room, viewer_token
from fakes.viewer import watch

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("loss", [pytest.param(0.02, marks=pytest.mark.soak), 0.1])
async def test_lost_packets_cost_no_speech_and_no_report(engine: Engine, loss: float) -> None:
    name = fresh_room()
    async with lossy_link() as link:
        server = link.server.now
        async with (
            talker(server, name) as agent,
            watch(server.url, viewer_token(server, name), identity=AVATAR) as viewer,
        ):
            # Its way to the server is made with the first packet that it sends.
            await agent.room.local_participant.publish_data(b"", topic="hello")
            await asyncio.sleep(0.5)
            link.loss = loss
            async with avatar_in(engine, join_request(server, name)) as session:
                await agent.until_avatar(15.0)
                await viewer.wait_for(lambda v: v.frames > 5, 15.0)
                began = time.monotonic()
                for _ in range(4):
                    await agent.stream(1.5)
                await agent.until_finished(4, 60.0)
                took = time.monotonic() - began
                await agent.stream(5.0)
                await viewer.wait_for(lambda v: v.loudness(0.1) > 0.02, 15.0)
                await asyncio.sleep(0.5)
                asked = time.monotonic()
                await agent.clear()
                await agent.until_finished(5, 10.0)
                answered = time.monotonic() - asked
                assert agent.ends[:4] == [(1.5, False)] * 4
                assert agent.ends[4][1]
                assert agent.started == 5
                sent = link.passed + link.dropped
                assert sent > 500
                assert 0.5 * loss < link.dropped / sent < 2 * loss
                assert took < 60.0
                assert session.counters()["reports_failed"] == 0
                assert answered < 9.0, "a lost packet is sent again after a second, then after two"
