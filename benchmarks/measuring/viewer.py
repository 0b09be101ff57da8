"""The viewer's process: decodes, reads the marks, notes the times. `python -m` with no argument.

A picture is noted when the SDK hands it out decoded, a sound when the SDK hands out its packet:
what a player or a screen adds is not measured.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import numpy as np

from livekit import rtc

from .child import obey
from .marks import read
from .probes import listen
from .recording import Recording

SMALLEST = 64
"""Width from which marks can be read."""


class Viewer:
    """A participant that takes notes."""

    def __init__(self) -> None:
        self.seen = Recording()
        self._room = rtc.Room()
        self._tracks: list[rtc.RemoteTrack] = []
        self._watching: dict[int, asyncio.Task[None]] = {}

    async def join(self, where: dict[str, str]) -> str:
        """Join a room and take notes from then on."""
        self._room.on("track_subscribed", self._subscribed)
        await self._room.connect(where["url"], where["token"])
        return "ok"

    def _subscribed(self, track: rtc.RemoteTrack, *_: object) -> None:
        self._tracks.append(track)
        # A track that its owner published anew after a reconnect goes on as silence beside it.
        if before := self._watching.pop(track.kind, None):
            before.cancel()
        is_video = track.kind == rtc.TrackKind.KIND_VIDEO
        work = self._watch(track) if is_video else listen(track, self.seen)
        self._watching[track.kind] = asyncio.create_task(work, name=f"viewer of {track.sid}")

    async def _watch(self, track: rtc.RemoteTrack) -> None:
        async for event in rtc.VideoStream(track, format=rtc.VideoBufferType.I420):
            at, frame = time.monotonic(), event.frame
            if frame.width < SMALLEST:
                continue  # a source that nobody has drawn to yet
            luma = np.frombuffer(frame.data, np.uint8, frame.width * frame.height)
            self.seen.picture(at, read(luma.reshape(frame.height, frame.width)))

    async def counts(self, _: Any) -> dict[str, int]:
        """How much came so far."""
        return {"pictures": len(self.seen.pictures), "sounds": len(self.seen.sounds)}

    async def save(self, path: str) -> str:
        """Write the notes."""
        for track in self._tracks:
            kind = "video" if track.kind == rtc.TrackKind.KIND_VIDEO else "audio"
            for report in await track.get_stats():
                if report.WhichOneof("stats") == "inbound_rtp":
                    self._explain(kind, report.inbound_rtp.inbound)
        self.seen.write(Path(path))
        return "ok"

    def _explain(self, kind: str, got: Any) -> None:
        emitted = max(1, got.jitter_buffer_emitted_count)
        self.seen.delays[f"{kind}_jitter_buffer_ms"] = 1000 * got.jitter_buffer_delay / emitted
        if kind == "video":
            decoded = max(1, got.frames_decoded)
            self.seen.delays["video_decode_ms"] = 1000 * got.total_decode_time / decoded
            self.seen.delays["video_processing_ms"] = 1000 * got.total_processing_delay / decoded
        else:
            self.seen.delays["audio_concealed_samples"] = float(got.concealed_samples)
            self.seen.delays["audio_stretched_samples"] = float(
                got.inserted_samples_for_deceleration + got.removed_samples_for_acceleration
            )

    async def run(self) -> None:
        """Obey until stdin ends."""
        await obey({"join": self.join, "counts": self.counts, "save": self.save})
        await self._room.disconnect()


async def main() -> None:
    """Run the process."""
    await Viewer().run()


if __name__ == "__main__":
    asyncio.run(main())
