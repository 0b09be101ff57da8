"""Faults of the network, the server, the sender and the engine, in real rooms."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from avatar_worker.demo.child import start_child
from avatar_worker.demo.livekit_server import LiveKitServer
from avatar_worker.engine import Engine
from avatar_worker.errors import DeviceError
from avatar_worker.frames import FaceControls, VideoFrame
from avatar_worker.render import RenderSlot
from avatar_worker.session import SessionState
from fakes.own_server import own_server
from fakes.plain_renderer import PlainRenderer
from fakes.scene import AVATAR, avatar_in, join_request, talker
from fakes.tokens import agent_token, avatar_token, fresh_room
from fakes.worker import run_worker
from fakes.worker_process import worker_process
from livekit import rtc

pytestmark = pytest.mark.e2e


async def test_sentences_sent_in_one_breath_arrive_whole(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    name = fresh_room()
    async with (
        talker(livekit_server, name) as agent,
        avatar_in(engine, join_request(livekit_server, name)),
    ):
        await agent.until_avatar()
        for _ in range(12):
            await agent.stream(0.3)
        await agent.until_finished(12)
        assert agent.ends == [(0.3, False)] * 12


async def test_on_sigterm_the_voices_end_and_every_agent_is_told(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    rooms = [fresh_room() for _ in range(4)]
    async with (
        AsyncExitStack() as stack,
        worker_process(livekit_server, tmp_path, DRAIN_TIMEOUT=1) as worker,
    ):
        agents = [await stack.enter_async_context(talker(livekit_server, room)) for room in rooms]
        started = await asyncio.gather(*(worker.start_avatar(room) for room in rooms))
        assert [status for status, _ in started] == [200] * 4
        for agent, seconds in zip(agents, (2.0, 30.0, 30.0, 30.0), strict=True):
            await agent.until_avatar()
            await agent.stream(seconds)
            await agent.stream(1.0)
        async with asyncio.timeout(10):
            while not all(agent.started for agent in agents):
                await asyncio.sleep(0.02)
        os.kill(worker.child.pid, signal.SIGTERM)
        asked = time.monotonic()
        await asyncio.sleep(0.3)
        assert (await worker.start_avatar(fresh_room()))[0] == 503
        assert await worker.ended(20) == 0
        assert time.monotonic() - asked < 1 + 10
        for agent in agents:
            await agent.until_finished(2, 15.0)
            assert AVATAR not in agent.room.remote_participants
        assert agents[0].ends == [(2.0, False), (1.0, False)]
        for agent in agents[1:]:
            (position, interrupted), last = agent.ends
            assert interrupted
            assert 0 < position < 15
            assert last == (0.0, True)


class FailingRenderer(PlainRenderer):
    """Draws until it is told to fail, as a device does that is lost."""

    lost = False

    def render(self, jobs: Sequence[tuple[RenderSlot, FaceControls]]) -> list[VideoFrame]:
        if self.lost:
            raise DeviceError("the device is lost")
        return super().render(jobs)


async def test_a_lost_device_ends_the_worker_and_every_agent_is_told(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    name, renderer = fresh_room(), FailingRenderer()
    async with (
        talker(livekit_server, name) as agent,
        run_worker(livekit_server, tmp_path, renderer=renderer, drain_timeout=30.0) as worker,
        aiohttp.ClientSession() as http,
    ):
        body = {
            "livekit_url": livekit_server.url,
            "livekit_token": avatar_token(livekit_server, name),
            "avaluma_avatar_id": "demo",
        }
        async with http.post(f"{worker.url}/v1/livekit/start-avatar", json=body) as answer:
            assert answer.status == 200
        await agent.until_avatar()
        await agent.stream(20.0)
        await agent.stream(1.0)
        async with asyncio.timeout(15.0):
            while not agent.started:
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.5)
        renderer.lost = True
        async with asyncio.timeout(10):
            assert await asyncio.shield(worker.task) == 70
        await agent.until_finished(2, 15.0)
        (position, interrupted), last = agent.ends
        assert interrupted
        assert 0.3 < position < 15
        assert last == (0.0, True)
        async with asyncio.timeout(15.0):
            while AVATAR in agent.room.remote_participants:
                await asyncio.sleep(0.02)


async def test_an_avatar_whose_identity_is_taken_ends_quietly_and_stays_away(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    name = fresh_room()
    async with (
        talker(livekit_server, name) as agent,
        avatar_in(engine, join_request(livekit_server, name)) as session,
    ):
        await agent.until_avatar()
        await agent.stream(10.0)
        await asyncio.sleep(0.5)
        twin, evicted = rtc.Room(), asyncio.Event()
        twin.on("disconnected", lambda reason: evicted.set())
        await twin.connect(livekit_server.url, avatar_token(livekit_server, name))
        async with asyncio.timeout(15.0):
            assert await session.wait_closed() == "disconnected:duplicate_identity"
        await asyncio.sleep(1.0)
        assert not evicted.is_set()
        assert not session._room.isconnected()
        assert session.state is SessionState.CLOSED
        await twin.disconnect()


VANISHING = """
import asyncio, sys
from fakes.scene import speech
from livekit import rtc
async def main(url, token):
    room = rtc.Room()
    await room.connect(url, token)
    while len(getattr(room.remote_participants.get("avatar-demo"), "track_publications", "")) < 2:
        await asyncio.sleep(0.02)
    stream = await room.local_participant.stream_bytes(
        "AUDIO_1", topic="lk.audio_stream", destination_identities=["avatar-demo"],
        attributes={"sample_rate": "16000", "num_channels": "1"},
    )
    await stream.write(speech(1.0))
    print("sent", flush=True)
    await asyncio.sleep(60)
asyncio.run(main(*sys.argv[1:]))
"""


async def test_an_agent_that_is_killed_in_the_middle_of_a_word_holds_nobody_up_for_long(
    livekit_server: LiveKitServer, engine: Engine
) -> None:
    name = fresh_room()
    async with (
        talker(livekit_server, name, identity="agent-AJ_next") as heir,
        avatar_in(engine, join_request(livekit_server, name)) as session,
    ):
        token = agent_token(livekit_server, name)
        dying = start_child(
            [sys.executable, "-c", VANISHING, livekit_server.url, token],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
            name="dying agent",
            with_us=False,
        )
        assert await asyncio.to_thread(dying.wait_for_line, "sent", 20.0), dying.tail(5)
        dying.stop(grace_s=0.0)
        killed = time.monotonic()
        await heir.stream(1.0)
        await heir.until_finished(1, 15.0)
        assert heir.ends == [(1.0, False)]
        assert time.monotonic() - killed < 10.0 + 1.0 + 2.0
        assert session.counters()["trailers_lost"] == 1


async def test_a_livekit_server_that_dies_and_comes_back_is_survived(engine: Engine) -> None:
    name = fresh_room()
    async with (
        own_server() as server,
        avatar_in(engine, join_request(server.now, name)) as session,
        talker(server.now, name) as agent,
    ):
        await agent.until_avatar()
        await agent.stream(4.0)
        await agent.stream(0.5)
        await asyncio.sleep(1.0)
        await server.kill()
        await asyncio.sleep(0.5)
        await server.start()
        await agent.until_finished(2, 12.0)
        await agent.until_avatar()
        await agent.stream(1.0)
        await agent.until_finished(3)
        assert agent.ends == [(4.0, False), (0.5, False), (1.0, False)]
        assert session.state is SessionState.IDLE
        async with (
            talker(server.now, other := fresh_room()) as later,
            avatar_in(engine, join_request(server.now, other)),
        ):
            await later.until_avatar()
            await later.stream(0.5)
            await later.until_finished(1)


@pytest.mark.soak
async def test_a_livekit_server_that_never_comes_back_ends_the_session_with_a_reason(
    engine: Engine,
) -> None:
    async with (
        own_server() as server,
        avatar_in(engine, join_request(server.now, fresh_room())) as session,
    ):
        await server.kill()
        async with asyncio.timeout(60):
            assert await session.wait_closed() == "disconnected:connection_lost"
