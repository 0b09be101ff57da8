"""A viewer that measures: joins a room, decodes what it sees and hears, keeps the numbers."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livekit import rtc

KEPT_S = 180
MOUTH = (0.38, 0.50, 0.62, 0.66)
"""Left, top, right, bottom as fractions of the picture; a portrait's mouth lies inside."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One decoded video frame."""

    at: float
    """`time.monotonic()` when it was decoded, s."""
    width: int
    height: int
    hash: int
    """CRC-32 of the whole luma plane."""
    luma: float
    """Mean luma of the whole picture, 0 to 255."""
    mouth_luma: float
    """Mean luma of the mouth box, 0 to 255."""
    mouth_change: float
    """Mean absolute luma difference of the mouth box to the picture before, 0 for the first."""


@dataclass(frozen=True, kw_only=True)
class Sound:
    """10 ms of decoded audio."""

    at: float
    """`time.monotonic()` when it was decoded, s."""
    rms: float
    """0 to 1."""


@dataclass
class Viewer:
    """What one participant saw and heard. Made by `watch`.

    `identity` restricts it to the tracks of one participant; None takes all.
    """

    room: rtc.Room
    identity: str | None = None
    mouth: tuple[float, float, float, float] = MOUTH
    pictures: deque[Picture] = field(default_factory=lambda: deque(maxlen=60 * KEPT_S))
    sounds: deque[Sound] = field(default_factory=lambda: deque(maxlen=100 * KEPT_S))
    said: dict[str, str] = field(default_factory=dict)
    """Transcription by stream id, in order of arrival."""
    left: dict[str, float] = field(default_factory=dict)
    """Identity -> `time.monotonic()` of those who left."""
    image: NDArray[np.uint8] | None = None
    """The last picture, RGB, (height, width, 3)."""
    frames: int = 0
    """Pictures decoded so far, beyond what `pictures` keeps."""
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def wait_for(self, predicate: Callable[[Viewer], bool], timeout: float) -> float:
        """Wait until the predicate holds; the seconds that took.

        Raises:
            TimeoutError: it did not hold in time; the message sums up what was seen.
        """
        started = time.monotonic()
        while not predicate(self):
            left = started + timeout - time.monotonic()
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), min(0.1, max(left, 0)))
            except TimeoutError:
                if left <= 0:
                    raise TimeoutError(f"not within {timeout} s: {self.summary()}") from None
        return time.monotonic() - started

    def summary(self) -> str:
        """What was seen and heard so far, in a line."""
        loudest = max((sound.rms for sound in self.sounds), default=0.0)
        there = {p.identity: len(p.track_publications) for p in self.participants()}
        return (
            f"{self.frames} pictures, {len(self.sounds) / 100:.1f} s of sound up to rms "
            f"{loudest:.3f}, participants and their tracks {there}, left {sorted(self.left)}"
        )

    def participants(self) -> list[rtc.RemoteParticipant]:
        """Those who are in the room now, without us."""
        return list(self.room.remote_participants.values())

    def sees(self, identity: str) -> bool:
        """Whether this participant is in the room now."""
        return identity in self.room.remote_participants

    def pictures_since(self, at: float) -> list[Picture]:
        """Pictures decoded at or after this moment."""
        return [picture for picture in self.pictures if picture.at >= at]

    def loudness(self, seconds: float, until: float | None = None) -> float:
        """RMS over the last seconds, or over those before `until`; 0 when nothing was heard."""
        end = time.monotonic() if until is None else until
        part = [s.rms for s in self.sounds if end - seconds <= s.at <= end]
        return float(np.sqrt(np.mean(np.square(part)))) if part else 0.0

    def mouth_motion(self, seconds: float, until: float | None = None) -> float:
        """Mean change of the mouth box per picture over the last seconds; 0 without pictures."""
        end = time.monotonic() if until is None else until
        part = [p.mouth_change for p in self.pictures if end - seconds <= p.at <= end]
        return float(np.mean(part)) if part else 0.0

    def fps(self, seconds: float) -> float:
        """Pictures a second over the last seconds."""
        return len(self.pictures_since(time.monotonic() - seconds)) / seconds

    async def say(self, text: str) -> None:
        """Type a line on LiveKit's chat topic."""
        await self.room.local_participant.send_text(text, topic="lk.chat")

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=f"viewer {name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _on_track(
        self,
        track: rtc.Track,
        publication: rtc.RemoteTrackPublication,
        participant: rtc.RemoteParticipant,
    ) -> None:
        if self.identity is not None and participant.identity != self.identity:
            return
        if track.kind == rtc.TrackKind.KIND_VIDEO:
            self._spawn(self._watch(track), "video")
        else:
            self._spawn(self._listen(track), "audio")

    def _on_left(self, participant: rtc.RemoteParticipant) -> None:
        self.left[participant.identity] = time.monotonic()
        self._news.set()

    def _on_text(self, reader: rtc.TextStreamReader, identity: str) -> None:
        self._spawn(self._read(reader), "transcription")

    async def _read(self, reader: rtc.TextStreamReader) -> None:
        async for part in reader:
            stream = reader.info.stream_id
            self.said[stream] = self.said.get(stream, "") + part
            self._news.set()

    async def _watch(self, track: rtc.Track) -> None:
        stream = rtc.VideoStream(track, format=rtc.VideoBufferType.I420, capacity=8)
        before: NDArray[np.float32] | None = None
        try:
            async for event in stream:
                frame = event.frame
                w, h = frame.width, frame.height
                luma = np.frombuffer(frame.data, np.uint8, w * h).reshape(h, w)
                x0, y0, x1, y1 = self.mouth
                box = luma[int(y0 * h) : int(y1 * h), int(x0 * w) : int(x1 * w)].astype(np.float32)
                same = before is not None and before.shape == box.shape
                change = float(np.abs(box - before).mean()) if same else 0.0  # type: ignore[operator]
                before = box
                self.frames += 1
                self.pictures.append(
                    Picture(
                        at=time.monotonic(),
                        width=w,
                        height=h,
                        hash=zlib.crc32(luma.tobytes()),
                        luma=float(luma.mean()),
                        mouth_luma=float(box.mean()),
                        mouth_change=change,
                    )
                )
                if self.frames % 25 == 1:
                    rgb = frame.convert(rtc.VideoBufferType.RGB24)
                    self.image = np.frombuffer(rgb.data, np.uint8).reshape(h, w, 3).copy()
                self._news.set()
        finally:
            await stream.aclose()

    async def _listen(self, track: rtc.Track) -> None:
        stream = rtc.AudioStream(track, sample_rate=48_000, num_channels=1, frame_size_ms=10)
        try:
            async for event in stream:
                samples = np.frombuffer(event.frame.data, np.int16).astype(np.float32) / 32768.0
                rms = float(np.sqrt(np.mean(np.square(samples))))
                self.sounds.append(Sound(at=time.monotonic(), rms=rms))
                self._news.set()
        finally:
            await stream.aclose()

    async def _aclose(self) -> None:
        await self.room.disconnect()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def watch(
    url: str,
    token: str,
    *,
    identity: str | None = None,
    mouth: tuple[float, float, float, float] = MOUTH,
) -> AsyncIterator[Viewer]:
    """Join a room and measure until the end of the block."""
    viewer = Viewer(room=rtc.Room(), identity=identity, mouth=mouth)
    viewer.room.on("track_subscribed", viewer._on_track)
    viewer.room.on("participant_disconnected", viewer._on_left)
    viewer.room.register_text_stream_handler("lk.transcription", viewer._on_text)
    await viewer.room.connect(url, token)
    try:
        yield viewer
    finally:
        await viewer._aclose()
