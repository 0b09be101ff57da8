"""The process of LiveKit's own avatar path, with a generator that costs next to nothing.

`AvatarRunner`, `DataStreamAudioReceiver` and `AVSynchronizer` with the options that they come
with; the pictures are grey with marks.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from livekit import rtc
from livekit.agents.utils.audio import AudioByteStream
from livekit.agents.voice.avatar import (
    AudioSegmentEnd,
    AvatarOptions,
    AvatarRunner,
    DataStreamAudioReceiver,
    VideoGenerator,
)

from .child import obey
from .marks import Marks, is_loud, paint
from .probes import Probes, reconnect
from .stimulus import RATE

WIDTH: Final = 512
HEIGHT: Final = 640
FPS: Final = 25

Item = rtc.VideoFrame | rtc.AudioFrame | AudioSegmentEnd


class MarkGenerator(VideoGenerator):
    """Gives a picture with every 40 ms of sound, and pictures alone while there is none."""

    def __init__(self) -> None:
        self._speech: asyncio.Queue[rtc.AudioFrame | AudioSegmentEnd] = asyncio.Queue()
        self._slices = AudioByteStream(RATE, 1, samples_per_channel=RATE // FPS)
        self._count = 0
        self.stall = 0.0

    async def push_audio(self, frame: rtc.AudioFrame | AudioSegmentEnd) -> None:
        """Take sound."""
        await self._speech.put(frame)

    def clear_buffer(self) -> None:
        """Forget sound that has not been given out."""
        while not self._speech.empty():
            self._speech.get_nowait()
        self._slices.clear()

    async def __aiter__(self) -> AsyncIterator[Item]:
        while True:
            try:
                # Well under a picture's time: the synchronizer does the pacing.
                item = await asyncio.wait_for(self._speech.get(), timeout=0.5 / FPS)
            except TimeoutError:
                yield self._picture(None)
                continue
            if isinstance(item, AudioSegmentEnd):
                slices = self._slices.flush()
            else:
                slices = self._slices.push(bytes(item.data))
            for slice_ in slices:
                if self.stall:
                    stall, self.stall = self.stall, 0.0
                    await asyncio.sleep(stall)
                yield self._picture(slice_)
                yield slice_
            if isinstance(item, AudioSegmentEnd):
                yield item

    def _picture(self, sound: rtc.AudioFrame | None) -> rtc.VideoFrame:
        data = np.full(WIDTH * HEIGHT * 3 // 2, 128, np.uint8)
        loud = False
        if sound is not None:
            loud = is_loud(
                np.frombuffer(sound.data, np.int16).astype(np.float32) / np.float32(32768)
            )
        luma = data[: WIDTH * HEIGHT].reshape(HEIGHT, WIDTH)
        paint(luma, Marks(self._count, loud=loud, speaking=sound is not None))
        self._count = (self._count + 1) & 0xFFFF
        return rtc.VideoFrame(WIDTH, HEIGHT, rtc.VideoBufferType.I420, data.data)


class StockAvatar:
    """One avatar in one room."""

    def __init__(self) -> None:
        self.probes = Probes()
        self._room = rtc.Room()
        self._generator = MarkGenerator()
        self._starting: asyncio.Task[None] | None = None

    async def join(self, where: dict[str, str]) -> str:
        """Join a room; publishing waits for the agent, as the runner does."""
        await self._room.connect(where["url"], where["token"])
        receiver = DataStreamAudioReceiver(self._room, sender_identity=where["agent"])
        runner = AvatarRunner(
            self._room,
            audio_recv=receiver,
            video_gen=self._generator,
            options=AvatarOptions(
                video_width=WIDTH,
                video_height=HEIGHT,
                video_fps=FPS,
                audio_sample_rate=RATE,
                audio_channels=1,
            ),
        )
        self._starting = asyncio.create_task(runner.start(), name="stock runner")
        return "ok"

    async def stall(self, seconds: float) -> str:
        """Make the generator late once."""
        self._generator.stall = seconds
        return "ok"

    async def delay(self, seconds: float) -> str:
        """Hold pictures back from now on."""
        self.probes.delay = seconds
        return "ok"

    async def reconnect(self, _: None) -> str:
        """Lose the connection and join again."""
        return await reconnect(self._room)

    async def save(self, path: str) -> dict[str, Any]:
        """Write the notes."""
        self.probes.seen.write(Path(path))
        return {}

    async def run(self) -> None:
        """Obey until stdin ends."""
        self.probes.install()
        await obey(
            {
                "join": self.join,
                "stall": self.stall,
                "delay": self.delay,
                "reconnect": self.reconnect,
                "save": self.save,
            }
        )
        await self._room.disconnect()


async def main() -> None:
    """Run the process."""
    await StockAvatar().run()


if __name__ == "__main__":
    asyncio.run(main())
