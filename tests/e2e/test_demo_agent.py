"""The demo's agent as its own process, opposite a worker and a measuring viewer."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from avatar_worker.demo.agent_name import AGENT_NAME
from avatar_worker.demo.child import Child, start_child
from avatar_worker.demo.livekit_server import LiveKitServer
from avatar_worker.demo.script import GREETING, reply_to
from avatar_worker.demo.stack import REGISTERED
from fakes.tokens import admin, fresh_room
from fakes.viewer import Viewer, watch
from fakes.worker import run_worker
from livekit import api

pytestmark = pytest.mark.e2e

AVATAR = "avatar-demo"


@asynccontextmanager
async def running_agent(server: LiveKitServer, worker_url: str) -> AsyncIterator[Child]:
    """The agent as `avatar-worker demo` starts it."""
    env = {**os.environ, **server.env(), "AVALUMA_API_URL": worker_url, "AVALUMA_AVATAR_ID": "demo"}
    child = start_child([sys.executable, "-m", "avatar_worker.demo.agent"], env=env, name="agent")
    try:
        assert await asyncio.to_thread(child.wait_for_line, REGISTERED, 60), child.tail(30)
        yield child
    finally:
        await asyncio.to_thread(child.stop)


@asynccontextmanager
async def conversation(server: LiveKitServer) -> AsyncIterator[Viewer]:
    """A room with a viewer in it whose join has dispatched the agent, as the page makes it."""
    agents = api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name=AGENT_NAME)])
    grants = api.VideoGrants(room_join=True, room=fresh_room(), can_publish=False)
    token = api.AccessToken(server.api_key, server.api_secret).with_identity("viewer")
    token = token.with_grants(grants).with_room_config(agents)
    async with watch(server.url, token.to_jwt(), identity=AVATAR) as viewer:
        yield viewer


def words(viewer: Viewer) -> str:
    """Everything that was written in the transcript so far."""
    return " ".join(viewer.said.values())


async def test_the_agent_greets_answers_and_can_be_interrupted(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    async with (
        run_worker(livekit_server, tmp_path) as worker,
        running_agent(livekit_server, worker.url) as agent,
        conversation(livekit_server) as viewer,
    ):
        await viewer.wait_for(lambda v: v.frames > 5, 20)
        await viewer.wait_for(lambda v: v.loudness(0.3) > 0.03, 20)
        await viewer.wait_for(lambda v: GREETING[:20] in words(v), 10)

        # Typing while it greets: the greeting stops long before its end, the answer comes.
        await viewer.say("please count to twenty")
        await viewer.wait_for(lambda v: "Let me count" in words(v), 10)
        assert GREETING[-20:] not in words(viewer)

        await viewer.wait_for(lambda v: v.loudness(0.5) > 0.03, 10)
        await viewer.say("stop")
        await viewer.wait_for(lambda v: "Of course" in words(v), 10)
        await viewer.wait_for(lambda v: reply_to("stop")[-20:] in words(v), 30)
        assert "twenty. There" not in words(viewer)

        await viewer.wait_for(lambda v: v.loudness(1.0) < 0.002, 20)
        assert agent.returncode is None, agent.tail(30)


async def test_the_avatar_leaves_after_the_viewer_has_left(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    async with (
        run_worker(livekit_server, tmp_path) as worker,
        running_agent(livekit_server, worker.url),
    ):
        async with conversation(livekit_server) as viewer:
            await viewer.wait_for(lambda v: v.frames > 5, 20)
            room = viewer.room.name
        started = time.monotonic()
        async with admin(livekit_server) as livekit:
            while time.monotonic() - started < 30:
                listed = await livekit.room.list_rooms(api.ListRoomsRequest(names=[room]))
                if not listed.rooms or listed.rooms[0].num_participants == 0:
                    break
                await asyncio.sleep(0.25)
        assert time.monotonic() - started < 15


async def test_the_agent_ends_on_sigterm_with_status_0(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    async with running_agent(livekit_server, "http://127.0.0.1:9") as agent:
        started = time.monotonic()
        await asyncio.to_thread(agent.stop)
        assert time.monotonic() - started < 8
        assert agent.returncode == 0, agent.tail(30)
        assert "Traceback" not in agent.tail(400)
