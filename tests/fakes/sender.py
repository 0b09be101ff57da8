"""An agent's end of a room with LiveKit's own output class."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from avatar_worker.demo.livekit_server import LiveKitServer
from livekit import rtc
from livekit.agents.voice.avatar import DataStreamAudioOutput
from livekit.agents.voice.io import PlaybackFinishedEvent

from .scene import AGENT, AVATAR, speech
from .tokens import agent_token


@dataclass
class Sender:
    """LiveKit's real output, and what it was told."""

    room: rtc.Room
    output: DataStreamAudioOutput
    finished: list[PlaybackFinishedEvent] = field(default_factory=list)
    started: list[float] = field(default_factory=list)

    async def say(self, seconds: float, rate: int = 16_000) -> None:
        """Send a segment in frames of 100 ms, as a voice does that is faster than real time."""
        pcm, step = speech(seconds, rate), 2 * (rate // 10)
        for at in range(0, len(pcm), step):
            part = pcm[at : at + step]
            await self.output.capture_frame(rtc.AudioFrame(part, rate, 1, len(part) // 2))
        self.output.flush()

    async def until_finished(self, count: int, timeout: float = 10.0) -> None:
        async with asyncio.timeout(timeout):
            while len(self.finished) < count:
                await asyncio.sleep(0.02)


@asynccontextmanager
async def sender(
    server: LiveKitServer,
    room_name: str,
    *,
    identity: str = AGENT,
    rate: int = 16_000,
    new_room: Callable[[], rtc.Room] = rtc.Room,
) -> AsyncIterator[Sender]:
    """An agent in the room; the avatar may come later."""
    room = new_room()
    await room.connect(server.url, agent_token(server, room_name, identity=identity))
    output = DataStreamAudioOutput(
        room,
        destination_identity=AVATAR,
        sample_rate=rate,
        wait_remote_track=rtc.TrackKind.KIND_VIDEO,
        wait_playback_start=True,
    )
    it = Sender(room, output)
    output.on("playback_finished", it.finished.append)
    output.on("playback_started", lambda event: it.started.append(time.monotonic()))
    try:
        yield it
    finally:
        await room.disconnect()
