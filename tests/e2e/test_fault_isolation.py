"""A whole worker in which one avatar cannot be drawn any more, on a real livekit-server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest

from avatar_worker.demo.livekit_server import LiveKitServer
from fakes.agent_job import our_plugin
from fakes.chat import LINES, chat_in
from fakes.faults import Faults, FaultyRenderer
from fakes.scene import AVATAR, talker
from fakes.tokens import avatar_token, fresh_room
from fakes.worker import run_worker
from livekit.plugins.avaluma import AvatarSession

pytestmark = pytest.mark.e2e


async def test_a_session_that_fails_leaves_the_worker_and_the_others_as_they_were(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    faults, rooms = Faults(), {avatar: fresh_room() for avatar in ("demo", "sick")}
    async with (
        run_worker(
            livekit_server, tmp_path, avatars=("demo", "sick"), renderer=FaultyRenderer(faults)
        ) as worker,
        talker(livekit_server, rooms["demo"]) as ann,
        talker(livekit_server, rooms["sick"]) as agent,
        aiohttp.ClientSession(worker.url) as http,
    ):

        async def start(avatar: str) -> int:
            body = {
                "livekit_url": livekit_server.url,
                "livekit_token": avatar_token(livekit_server, rooms[avatar]),
                "avaluma_avatar_id": avatar,
            }
            async with http.post("/v1/livekit/start-avatar", json=body) as answer:
                return answer.status

        assert [await start("demo"), await start("sick")] == [200, 200]
        await ann.until_avatar()
        await agent.until_avatar()
        await ann.stream(6.0)
        await agent.stream(30.0)
        async with asyncio.timeout(15.0):
            while not (ann.started and agent.started):
                await asyncio.sleep(0.02)
        faults.sick["sick"] = "rendering"
        await agent.until_finished(1, 15.0)
        ((position, interrupted),) = agent.ends
        assert interrupted
        assert 0 < position < 15
        async with asyncio.timeout(15.0):
            while AVATAR in agent.room.remote_participants:
                await asyncio.sleep(0.02)
        await ann.until_finished(1, 15.0)
        assert ann.ends == [(6.0, False)]
        async with http.get("/ready") as answer:
            assert answer.status == 200
        async with http.get("/metrics") as answer:
            text = await answer.text()
        assert 'avatar_worker_drawing_failures_total{stage="rendering"} 1.0' in text
        assert 'avatar_worker_sessions_total{door="http",outcome="drawing_failed"} 1.0' in text
        assert await start("sick") == 500, "its first picture fails"
        faults.sick.clear()
        assert await start("sick") == 200
        await agent.until_avatar()
        await agent.stream(0.5)
        await agent.until_finished(2)
        assert agent.ends[1] == (0.5, False)


@pytest.mark.timeout(180)
async def test_the_plugin_brings_an_avatar_back_that_could_not_be_drawn_any_more(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    faults, made, seen = Faults(), list[AvatarSession](), list[str]()
    async with run_worker(livekit_server, tmp_path, renderer=FaultyRenderer(faults)) as worker:
        start = our_plugin(worker, livekit_server, made, on_avatar_lost="restart")
        async with chat_in(livekit_server, fresh_room(), start, watched=None) as it:
            made[0].on("avatar_left", lambda: seen.append("left"))
            made[0].on("avatar_returned", lambda: seen.append("returned"))
            handle = await it.say(" ".join(LINES))
            await it.heard()
            await asyncio.sleep(1.0)
            faults.sick["demo"] = "rendering"
            async with asyncio.timeout(15.0):
                while not seen:
                    await asyncio.sleep(0.02)
            faults.sick.clear()
            await it.played(handle, 60)
            assert not handle.interrupted, "nobody has spoken over it"
            async with asyncio.timeout(60.0):
                while len(seen) < 2:
                    await asyncio.sleep(0.05)
            assert seen == ["left", "returned"]
            frames = it.viewer.frames
            await it.viewer.wait_for(lambda v: v.frames > frames + 10, 15.0)
            again = await it.say(LINES[1])
            await it.heard()
            await it.played(again, 30)
            assert not it.finished[-1].interrupted
