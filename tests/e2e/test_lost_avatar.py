"""A worker that is killed while its avatar speaks: what the agent and its listeners get."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from avatar_worker.demo.livekit_server import LiveKitServer, free_port
from fakes.agent_job import in_job, our_plugin
from fakes.chat import LINES, Chat, chat_in
from fakes.scene import AVATAR, speech
from fakes.tokens import agent_token, fresh_room
from fakes.worker_process import worker_process
from livekit import rtc
from livekit.agents import AgentSession, utils
from livekit.plugins.avaluma import AvatarSession

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

STORY = " ".join(LINES * 2)
NOTICED = 15.0
"""Seconds for what takes the plugin at most 8."""


class Watch:
    """The events of an avatar session, which belongs to another thread."""

    def __init__(self, avatar: AvatarSession) -> None:
        self.seen: list[str] = []
        avatar.on("avatar_left", lambda: self.seen.append("left"))
        avatar.on("avatar_returned", lambda: self.seen.append("returned"))
        avatar.on("avatar_failed", lambda error: self.seen.append("failed"))

    async def until(self, *events: str, timeout: float = NOTICED) -> None:
        async with asyncio.timeout(timeout):
            while self.seen != list(events):
                await asyncio.sleep(0.05)


def voices(it: Chat) -> dict[str, int]:
    """Tracks of the avatar and of its agent, as the viewer sees them."""
    count = {AVATAR: 0, "agent": 0}
    for participant in it.viewer.participants():
        name = AVATAR if participant.identity == AVATAR else "agent"
        count[name] += len(participant.track_publications)
    return count


async def silenced(it: Chat, pid: int) -> None:
    """Let it tell a story and kill the worker in the middle; the story comes to an end."""
    handle = await it.say(STORY)
    await it.heard()
    await asyncio.sleep(1.5)
    os.kill(pid, signal.SIGKILL)
    await it.played(handle, 60)
    assert len(it.finished) == 1
    assert it.finished[0].playback_position > 0.5
    assert not handle.interrupted, "nobody has spoken over it"


async def says(it: Chat, line: str) -> None:
    """A line is heard to its end, and stands in the history."""
    handle = await it.say(line)
    await it.heard()
    await it.played(handle, 30)
    assert not it.finished[-1].interrupted
    assert (await it.history())[-1] == line


async def test_without_its_avatar_the_agent_speaks_with_a_voice_of_its_own(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    made: list[AvatarSession] = []
    async with worker_process(livekit_server, tmp_path) as worker:
        start = our_plugin(worker, livekit_server, made)
        async with chat_in(livekit_server, fresh_room(), start, watched=None) as it:
            watch = Watch(made[0])
            assert voices(it) == {AVATAR: 2, "agent": 0}
            await silenced(it, worker.child.pid)
            await watch.until("left")
            await says(it, LINES[0])
            assert voices(it)["agent"] == 1
            cut = await it.say(STORY)
            await it.heard()
            await asyncio.sleep(1.0)
            await it.interrupt()
            await it.played(cut, 15)
            assert cut.interrupted
            assert it.finished[-1].playback_position > 0
            await says(it, LINES[1])

            async def close() -> None:
                await made[0].aclose()

            await in_job(it.session, close)
            assert watch.seen == ["left"]


async def test_a_restarted_avatar_takes_the_word_again(
    livekit_server: LiveKitServer, tmp_path: Path
) -> None:
    made: list[AvatarSession] = []
    port = free_port()
    async with worker_process(livekit_server, tmp_path, PORT=port) as worker:
        start = our_plugin(worker, livekit_server, made, on_avatar_lost="restart")
        async with chat_in(livekit_server, fresh_room(), start, watched=None) as it:
            watch = Watch(made[0])
            await silenced(it, worker.child.pid)
            await watch.until("left")
            await says(it, LINES[0])
            assert voices(it)["agent"] == 1
            async with worker_process(livekit_server, tmp_path, PORT=port):
                await watch.until("left", "returned", timeout=60)
                frames = it.viewer.frames
                await it.viewer.wait_for(lambda v: v.frames > frames + 10, 15.0)
                await says(it, LINES[1])
                await it.viewer.wait_for(lambda v: voices(it) == {AVATAR: 2, "agent": 0}, 15.0)
                assert it.viewer.fps(1.0) > 5
                assert watch.seen == ["left", "returned"]


async def test_the_plugin_notices_a_killed_worker_within_ten_seconds(
    livekit_server: LiveKitServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    name, room = fresh_room(), rtc.Room()
    async with worker_process(livekit_server, tmp_path) as worker, utils.http_context.open():
        await room.connect(livekit_server.url, agent_token(livekit_server, name))
        session: AgentSession[None] = AgentSession()
        plugin = AvatarSession(
            avatar_server_url=worker.url, avatar_id="demo", on_avatar_lost="text_only"
        )
        await plugin.start(
            session,
            room,
            livekit_url=livekit_server.url,
            livekit_api_key=livekit_server.api_key,
            livekit_api_secret=livekit_server.api_secret,
        )
        left = asyncio.Event()
        plugin.on("avatar_left", left.set)
        await plugin.wait_for_join(timeout=10)
        sink = session.output.audio
        assert sink is not None
        await sink.capture_frame(rtc.AudioFrame(speech(20.0), 16_000, 1, 20 * 16_000))
        sink.flush()
        await asyncio.sleep(1.0)
        assert not left.is_set()

        os.kill(worker.child.pid, signal.SIGKILL)
        async with asyncio.timeout(10):
            await left.wait()
        assert AVATAR in room.remote_participants, "LiveKit itself has not noticed yet"
        assert (await asyncio.wait_for(sink.wait_for_playout(), 15.0)).interrupted
        assert session.output.audio is None
        assert sum("the avatar left" in record.getMessage() for record in caplog.records) == 1
        await plugin.aclose()
        await room.disconnect()
