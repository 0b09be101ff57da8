"""The avatar's two tracks. Only this module knows how pictures are encoded."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from avatar_worker.clock import Clock, Ticks, ms
from avatar_worker.frames import OUTPUT_RATE, VideoFrame
from livekit import rtc

from .queue_level import QueueLevel
from .sdk_spares import SPARES

QUEUE_MS = 60
QUEUE = ms(QUEUE_MS)
"""Room in the sound track's queue. The SDK aborts the process if it is no multiple of 10 ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoOptions:
    """How pictures are encoded.

    Attributes:
        max_bitrate: In bits per second.
        codec: `VP8` or `H264`.
    """

    max_bitrate: int = 900_000
    codec: str = "VP8"


class SoundTrack:
    """Sound for the room, through a short queue that also tells what has been heard."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._source = SPARES.source(OUTPUT_RATE, QUEUE_MS)
        self._level = QueueLevel(QUEUE, clock.now())
        self._epoch = 0
        self.track = rtc.LocalAudioTrack.create_audio_track("avatar-voice", self._source)

    def queued(self) -> Ticks:
        """How much has been written and has not left the queue."""
        return self._level.queued(self._clock.now())

    async def write(self, pcm: npt.NDArray[np.int16]) -> None:
        """Queue at most 40 ms of 48 kHz mono; return when the queue has room."""
        epoch, began = self._epoch, self._clock.now()
        self._level.write(began, len(pcm))
        await self._source.capture_frame(
            rtc.AudioFrame(pcm.tobytes(), OUTPUT_RATE, 1, len(pcm)),
        )
        now = self._clock.now()
        if now - began > ms(5) and epoch == self._epoch:
            self._level.filled(now)

    def clear(self) -> None:
        """Forget what is queued."""
        self._epoch += 1
        self._level.clear(self._clock.now())
        self._source.clear_queue()

    async def publish(self, participant: rtc.LocalParticipant) -> None:
        """Publish the track. RED is off: it costs 15 % of a session and data loss is rare."""
        options = rtc.TrackPublishOptions(
            source=rtc.TrackSource.SOURCE_MICROPHONE, red=False, dtx=True
        )
        options.audio_encoding.max_bitrate = 48_000
        await participant.publish_track(self.track, options)

    async def aclose(self, *, stranded: bool) -> None:
        """Give the source back.

        Args:
            stranded: Whether it was the server that ended the room.
        """
        if stranded:
            SPARES.keep(self._source, QUEUE_MS)
        else:
            await self._source.aclose()


class PictureTrack:
    """Pictures for the room, encoded by the SDK."""

    def __init__(self, width: int, height: int, fps: int, options: VideoOptions) -> None:
        self._size = (width, height)
        self._fps = fps
        self._options = options
        self._source = rtc.VideoSource(width, height)
        self._last_us = 0
        self.track = rtc.LocalVideoTrack.create_video_track("avatar-face", self._source)

    def show(self, frame: VideoFrame) -> None:
        """Hand a picture to the encoder, now."""
        if (frame.width, frame.height) != self._size:
            raise ValueError(f"the track takes {self._size}, not {frame.width}x{frame.height}")
        self._last_us = max(time.monotonic_ns() // 1000, self._last_us + 1)
        self._source.capture_frame(
            rtc.VideoFrame(frame.width, frame.height, rtc.VideoBufferType.I420, frame.data.data),
            timestamp_us=self._last_us,
        )

    async def publish(self, participant: rtc.LocalParticipant) -> None:
        """Publish the track. Call `show` before: an untouched source emits black."""
        options = rtc.TrackPublishOptions(
            source=rtc.TrackSource.SOURCE_CAMERA,
            simulcast=False,
            video_codec=rtc.VideoCodec.Value(self._options.codec),
            video_encoding=rtc.VideoEncoding(
                max_bitrate=self._options.max_bitrate, max_framerate=self._fps
            ),
        )
        options.degradation_preference = rtc.DegradationPreference.MAINTAIN_RESOLUTION.value
        await participant.publish_track(self.track, options)

    async def aclose(self) -> None:
        """Give the source back."""
        await self._source.aclose()
