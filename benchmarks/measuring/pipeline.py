"""The worker's own pipeline with marks painted over its pictures.

Everything costs what it costs in production: net, mixer, renderer, a portrait to encode.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from avatar_worker.audio.segment import TICKS_PER_ANALYSIS_SAMPLE
from avatar_worker.engine import Failure, PictureOrder, Pipeline
from avatar_worker.engine.pipeline import HOP, Slot
from avatar_worker.features import Audio2Face
from avatar_worker.frames import VideoFrame
from avatar_worker.render import Renderer

from .marks import Marks, is_loud, paint_frame


class MarkedPipeline(Pipeline):
    """Paints into each picture whether its own 40 ms of speech are loud."""

    def __init__(self, renderer: Renderer, audio2face: Audio2Face) -> None:
        super().__init__(renderer, audio2face)
        # The net hears this much beyond a picture's own sound.
        self._ahead = self.look_ahead // TICKS_PER_ANALYSIS_SAMPLE
        self._heard: dict[int, npt.NDArray[np.float32]] = {}
        self._count = 0
        self._stall = 0.0

    def stall(self, seconds: float) -> None:
        """Make the next picture late. From any thread."""
        self._stall = seconds

    def close(self, slot: Slot) -> None:
        """Give the slot back."""
        self._heard.pop(id(slot), None)
        super().close(slot)

    def draw_each(self, jobs: Sequence[tuple[Slot, PictureOrder]]) -> list[VideoFrame | Failure]:
        """Draw one picture for each job, in order."""
        own = [self._own_sound(slot) if order.speaking else None for slot, order in jobs]
        frames = super().draw_each(jobs)
        for sound, frame in zip(own, frames, strict=True):
            loud = sound is not None and is_loud(sound)
            if isinstance(frame, VideoFrame):
                paint_frame(frame, Marks(self._count, loud=loud, speaking=sound is not None))
            self._count = (self._count + 1) & 0xFFFF
        if self._stall:
            stall, self._stall = self._stall, 0.0
            time.sleep(stall)
        return frames

    def _own_sound(self, slot: Slot) -> npt.NDArray[np.float32]:
        before = self._heard.get(id(slot), np.empty(0, np.float32))
        heard = np.concatenate([before, *slot.unfed])[-self._ahead :]
        self._heard[id(slot)] = heard
        return heard[:HOP]
