"""A worker whose operator prefers 40 ms of delay to exact lips."""

from __future__ import annotations

from pathlib import Path

import pytest

from avatar_worker.demo.livekit_server import LiveKitServer
from fakes.scene import talker
from fakes.tokens import fresh_room
from fakes.worker_process import worker_process

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("milliseconds", [80, 40])
async def test_a_worker_speaks_with_the_look_ahead_that_it_declares(
    livekit_server: LiveKitServer, tmp_path: Path, milliseconds: int
) -> None:
    name = fresh_room()
    async with (
        worker_process(livekit_server, tmp_path, LOOK_AHEAD_MS=milliseconds) as worker,
        talker(livekit_server, name) as agent,
    ):
        status, metrics = await worker.get("/metrics")
        assert status == 200
        assert f"avatar_worker_look_ahead_seconds {milliseconds / 1000:g}\n" in metrics
        assert (await worker.start_avatar(name))[0] == 200
        await agent.until_avatar(15.0)
        await agent.stream(0.7)
        await agent.until_finished(1, 15.0)
        assert agent.ends == [(0.7, False)]
