"""The process of LiveKit's own sender at some release: it imports LiveKit and nothing of ours.

A process has one SDK. Orders come as lines of JSON on stdin, facts leave as lines on stdout.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import math
import sys
import threading
from typing import Any

from livekit import rtc
from livekit.agents.voice.avatar import DataStreamAudioOutput

RATE = 24_000


def tone(seconds: float) -> list[rtc.AudioFrame]:
    """A loud buzz in frames of 50 ms."""
    step = RATE // 20
    wave = [int(9000 * math.sin(2 * math.pi * 150 * n / RATE)) for n in range(int(seconds * RATE))]
    parts = [wave[at : at + step] for at in range(0, len(wave), step)]
    pcm = [b"".join(n.to_bytes(2, "little", signed=True) for n in part) for part in parts]
    return [rtc.AudioFrame(part, RATE, 1, len(part) // 2) for part in pcm]


class Sender:
    """An agent's output; obeys lines of JSON and tells what it was told."""

    def __init__(self, avatar: str) -> None:
        self._avatar = avatar
        self._room = rtc.Room()

    async def join(self, url: str, token: str) -> None:
        await self._room.connect(url, token)
        self._output = DataStreamAudioOutput(
            self._room,
            destination_identity=self._avatar,
            sample_rate=RATE,
            wait_remote_track=rtc.TrackKind.KIND_VIDEO,
            wait_playback_start=True,
        )
        self._output.on("playback_started", lambda event: tell(event="started"))
        self._output.on("playback_finished", self._finished)

    def _finished(self, event: Any) -> None:
        tell(event="finished", position=event.playback_position, interrupted=event.interrupted)

    async def say(self, seconds: float) -> None:
        for frame in tone(seconds):
            await self._output.capture_frame(frame)
        self._output.flush()

    async def clear(self) -> None:
        self._output.clear_buffer()

    async def leave(self) -> None:
        await self._room.disconnect()


def tell(**fact: object) -> None:
    print(json.dumps(fact), flush=True)  # noqa: T201


async def main(url: str, token: str, avatar: str) -> None:
    sender = Sender(avatar)
    await sender.join(url, token)
    versions = {name: importlib.metadata.version(name) for name in ("livekit", "livekit-agents")}
    tell(event="joined", **versions)
    orders: asyncio.Queue[list[Any] | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def read() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(orders.put_nowait, json.loads(line))
        loop.call_soon_threadsafe(orders.put_nowait, None)

    threading.Thread(target=read, daemon=True).start()
    while (order := await orders.get()) is not None:
        await getattr(sender, order[0])(*order[1:])
    await sender.leave()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
