"""A real agent with an avatar, and a viewer who listens: what a test of a conversation needs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from avatar_worker.demo.livekit_server import LiveKitServer
from livekit.agents import AgentSession
from livekit.agents.voice.io import PlaybackFinishedEvent
from livekit.agents.voice.speech_handle import SpeechHandle
from livekit.agents.voice.turn import InterruptionOptions

from .agent_job import Start, Talk, agent_job, in_job, our_plugin
from .scene import AVATAR
from .tokens import fresh_room, viewer_token
from .viewer import Viewer, watch
from .worker import run_worker

LINES = ("One is a good start.", "Two is a little more.", "Three is enough for today.")
LONG = "Here is a story that goes on and on, with many words in every sentence. " * 20


@dataclass
class Chat:
    """An agent with an avatar, and a viewer who listens."""

    talk: Talk
    session: AgentSession[None]
    viewer: Viewer
    finished: list[PlaybackFinishedEvent] = field(default_factory=list)

    async def say(self, text: str, **options: Any) -> SpeechHandle:
        async def say() -> SpeechHandle:
            return self.session.say(text, **options)

        handle: SpeechHandle = await in_job(self.session, say)
        return handle

    async def played(self, handle: SpeechHandle, timeout: float = 20) -> None:
        async def wait() -> None:
            await handle.wait_for_playout()

        async with asyncio.timeout(timeout):
            await in_job(self.session, wait)

    async def interrupt(self) -> None:
        async def interrupt() -> None:
            await self.session.interrupt()

        async with asyncio.timeout(15.0):
            await in_job(self.session, interrupt)

    async def history(self) -> list[str]:
        async def read() -> list[str]:
            items = self.session.history.items
            return [item.text_content or "" for item in items if item.type == "message"]

        said: list[str] = await in_job(self.session, read)
        return said

    async def heard(self) -> float:
        """Wait for a voice; when it was heard first."""
        await self.viewer.wait_for(lambda v: v.loudness(0.1) > 0.01, 15)
        return time.monotonic() - 0.1

    async def silent(self, timeout: float) -> None:
        await self.viewer.wait_for(lambda v: v.loudness(0.15) < 0.01, timeout)

    async def noise(self) -> None:
        """The user makes a noise that turns out to be nothing: LiveKit's own machinery decides."""

        async def noise() -> None:
            activity: Any = self.session._activity
            activity._interruption_by_audio_activity_enabled = True
            self.session._aec_warmup_remaining = 0.0
            activity.on_start_of_speech(None, time.time())
            activity._interrupt_by_audio_activity()

        await in_job(self.session, noise)

    async def noise_is_over(self) -> None:
        async def over() -> None:
            activity: Any = self.session._activity
            activity.on_end_of_speech(None)

        await in_job(self.session, over)


@asynccontextmanager
async def chat_in(
    server: LiveKitServer,
    room: str,
    start: Start,
    *,
    watched: str | None = AVATAR,
    interruption: InterruptionOptions | None = None,
) -> AsyncIterator[Chat]:
    """An agent in a room, which gets its avatar by `start`; the viewer watches `watched`, or all."""
    async with (
        watch(server.url, viewer_token(server, room), identity=watched) as viewer,
        agent_job(server, room, start, interruption=interruption) as talk,
    ):
        it = Chat(talk, await talk.session(), viewer)

        async def listen() -> None:
            assert it.session.output.audio is not None
            it.session.output.audio.on("playback_finished", it.finished.append)

        await in_job(it.session, listen)
        await viewer.wait_for(lambda v: v.frames >= 5, 15.0)
        yield it


@asynccontextmanager
async def chat(
    server: LiveKitServer,
    folder: Path,
    *,
    door: str = "http",
    interruption: InterruptionOptions | None = None,
) -> AsyncIterator[Chat]:
    """The same with our plugin and a worker of its own, through the door `http` or `dispatch`."""
    room = fresh_room()
    name = f"avatars-{room}"
    by_dispatch = door == "dispatch"
    flags: dict[str, Any] = {"dispatch": True, "agent_name": name} if by_dispatch else {}
    asked: dict[str, Any] = {"agent_name": name, "avatar_id": "demo"} if by_dispatch else {}
    async with run_worker(server, folder / "avatars", **flags) as worker:
        start = our_plugin(worker, server, **asked)
        async with chat_in(server, room, start, interruption=interruption) as it:
            yield it
