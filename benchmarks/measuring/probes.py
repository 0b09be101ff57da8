"""Times at the SDK's boundary: bytes in, pictures and sound out. The same for every avatar."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from livekit import rtc

from .marks import read
from .recording import Recording

RECONNECTED_WITHIN = 20.0


@dataclass
class Probes:
    """Sits between an avatar and the SDK of its process.

    Attributes:
        seen: What passed.
        delay: Seconds by which pictures are held back: the control that the skew is measured.
    """

    seen: Recording = field(default_factory=Recording)
    delay: float = 0.0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def install(self) -> None:
        """Put probes into the SDK's classes, for the life of the process."""
        self._pictures_out()
        self._sound_out()
        self._bytes_in()

    def _pictures_out(self) -> None:
        send = rtc.VideoSource.capture_frame

        def capture(source: rtc.VideoSource, frame: rtc.VideoFrame, **options: Any) -> None:
            luma = np.frombuffer(frame.data, np.uint8, frame.width * frame.height)
            marks = read(luma.reshape(frame.height, frame.width))
            if self.delay:
                stamp = options.get("timestamp_us", 0)
                later = {**options, "timestamp_us": stamp and stamp + round(1e6 * self.delay)}
                loop = asyncio.get_running_loop()
                loop.call_later(self.delay, lambda: send(source, frame, **later))
            else:
                send(source, frame, **options)
            self.seen.picture(time.monotonic(), marks)

        rtc.VideoSource.capture_frame = capture  # type: ignore[method-assign,assignment]

    def _sound_out(self) -> None:
        make: Callable[[str, Any], rtc.LocalAudioTrack] = rtc.LocalAudioTrack.create_audio_track

        def create(name: str, source: Any) -> rtc.LocalAudioTrack:
            track = make(name, source)
            task = asyncio.create_task(listen(track, self.seen), name="probe of the sound")
            self._tasks.add(task)
            return track

        rtc.LocalAudioTrack.create_audio_track = staticmethod(create)  # type: ignore[method-assign]

    def _bytes_in(self) -> None:
        read_next = rtc.ByteStreamReader.__anext__
        begun: set[int] = set()

        async def anext_(reader: rtc.ByteStreamReader) -> bytes:
            data = await read_next(reader)
            if reader.info.topic == "lk.audio_stream" and id(reader.info) not in begun:
                begun.add(id(reader.info))
                self._infos.append(reader.info)
                self.seen.streams.append(time.monotonic())
            return data

        self._infos: list[Any] = []  # kept, so that no id is used twice
        rtc.ByteStreamReader.__anext__ = anext_  # type: ignore[method-assign,assignment]


async def listen(track: rtc.Track, seen: Recording) -> None:
    """Note the sound of a track, ours or a remote one, as it passes."""
    stream = rtc.AudioStream(track, sample_rate=48_000, num_channels=1, frame_size_ms=10)
    async for event in stream:
        seen.sound(time.monotonic(), np.frombuffer(event.frame.data, np.int16))


async def reconnect(room: rtc.Room) -> str:
    """Break a participant's connection for good and wait until the SDK has made a new one."""
    mended = asyncio.Event()
    room.once("reconnected", mended.set)
    await room.simulate_scenario(rtc.SimulateScenarioKind.SIMULATE_FULL_RECONNECT)
    async with asyncio.timeout(RECONNECTED_WITHIN):
        await mended.wait()
    return "ok"
