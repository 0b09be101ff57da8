"""An agent and its avatar as the demo page sees them: a test card, a tone, states, transcripts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np

from avatar_worker.demo.livekit_server import LiveKitServer
from livekit import rtc

from .tokens import agent_token, avatar_token

WIDTH, HEIGHT = 320, 400
AGENT = "agent-AJ_test"
AVATAR = "avatar-demo"


def card(level: int, mouth: int) -> rtc.VideoFrame:
    """A grey picture with a box of another grey where a mouth would be."""
    luma = np.full((HEIGHT, WIDTH), level, np.uint8)
    luma[200:264, 122:198] = mouth
    chroma = np.full(WIDTH * HEIGHT // 2, 128, np.uint8)
    data = np.concatenate([luma.reshape(-1), chroma])
    return rtc.VideoFrame(WIDTH, HEIGHT, rtc.VideoBufferType.I420, data.data)


async def publish_card(room: rtc.Room, ending: asyncio.Event, loud: asyncio.Event) -> None:
    """Publish a card whose mouth flickers, and a tone for as long as `loud` is set."""
    video, audio = rtc.VideoSource(WIDTH, HEIGHT), rtc.AudioSource(48_000, 1, queue_size_ms=100)
    video.capture_frame(card(100, 100))
    encoding = rtc.VideoEncoding(max_bitrate=1_000_000, max_framerate=25.0)
    await room.local_participant.publish_track(
        rtc.LocalVideoTrack.create_video_track("card", video),
        rtc.TrackPublishOptions(simulcast=False, video_encoding=encoding),
    )
    await room.local_participant.publish_track(
        rtc.LocalAudioTrack.create_audio_track("tone", audio)
    )
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(1920) / 48_000)
    sound, silence = (tone * 32767).astype(np.int16).tobytes(), bytes(3840)
    count = 0
    while not ending.is_set():
        video.capture_frame(card(100, 40 if count % 2 else 160))
        await audio.capture_frame(
            rtc.AudioFrame(sound if loud.is_set() else silence, 48_000, 1, 1920)
        )
        count += 1
    await audio.aclose()
    await video.aclose()


@dataclass
class StandIn:
    """The agent's side of one room."""

    agent: rtc.Room
    loud: asyncio.Event
    heard: asyncio.Queue[str] = field(default_factory=lambda: asyncio.Queue(maxsize=100))
    """Lines that were typed on `lk.chat`."""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def is_in_state(self, state: str) -> None:
        """Show an agent state as AgentSession does."""
        await self.agent.local_participant.set_attributes({"lk.agent.state": state})

    async def says(self, *parts: str) -> None:
        """Stream a transcription in parts, with the tone on."""
        self.loud.set()
        writer = await self.agent.local_participant.stream_text(
            topic="lk.transcription",
            attributes={"lk.segment_id": "SG_1", "lk.transcription_final": "false"},
            sender_identity=AVATAR,
        )
        for part in parts:
            await writer.write(part)
            await asyncio.sleep(0.02)
        await writer.aclose()
        self.loud.clear()

    def _on_chat(self, reader: rtc.TextStreamReader, identity: str) -> None:
        async def read() -> None:
            self.heard.put_nowait(await reader.read_all())

        task = asyncio.create_task(read(), name="stand-in chat")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


@asynccontextmanager
async def stand_in(
    server: LiveKitServer, room: str, *, avatar: bool = True
) -> AsyncIterator[StandIn]:
    """An agent and, if wanted, an avatar in a room until the end of the block."""
    agent, face = rtc.Room(), rtc.Room()
    ending = asyncio.Event()
    this = StandIn(agent=agent, loud=asyncio.Event())
    agent.register_text_stream_handler("lk.chat", this._on_chat)
    await agent.connect(server.url, agent_token(server, room, identity=AGENT))
    async with asyncio.TaskGroup() as publishing:
        try:
            if avatar:
                token = avatar_token(server, room, identity=AVATAR, on_behalf=AGENT)
                await face.connect(server.url, token)
                publishing.create_task(publish_card(face, ending, this.loud), name="test card")
            yield this
        finally:
            ending.set()
    await face.disconnect()
    await agent.disconnect()
