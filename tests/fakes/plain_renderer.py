"""A renderer that draws one fact: the picture is as bright as the mouth is open.

Honest in every other way: right sizes, fresh buffers, one thread. It makes rooms measurable
without a portrait.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from avatar_worker.avatars import Avatar
from avatar_worker.frames import CONTROL_INDEX, FaceControls, VideoFrame
from avatar_worker.render import RenderSlot

DARK, BRIGHT = 40, 220
JAW = CONTROL_INDEX["jawOpen"]
BREATH = CONTROL_INDEX["breath"]


@dataclass
class PlainSlot:
    avatar: Avatar
    closed: bool = False


class PlainRenderer:
    """Implements `avatar_worker.render.Renderer`."""

    name = "plain"

    def __init__(self) -> None:
        self.drawn = 0

    def open(self, avatar: Avatar) -> PlainSlot:
        return PlainSlot(avatar)

    def render(self, jobs: Sequence[tuple[RenderSlot, FaceControls]]) -> list[VideoFrame]:
        return [self._draw(slot, controls) for slot, controls in jobs]

    def _draw(self, slot: RenderSlot, controls: FaceControls) -> VideoFrame:
        assert isinstance(slot, PlainSlot)
        assert not slot.closed
        self.drawn += 1
        width, height = slot.avatar.canvas.width, slot.avatar.canvas.height
        data = np.full(width * height * 3 // 2, 128, np.uint8)
        luma = data[: width * height].reshape(height, width)
        luma[:] = 40 + 20 * float(controls.weights[BREATH])
        jaw = min(1.0, 2 * float(controls.weights[JAW]))
        luma[height // 2 :, :] = DARK + round((BRIGHT - DARK) * jaw)
        return VideoFrame(controls.pts, width, height, data)

    def close(self, slot: RenderSlot) -> None:
        assert isinstance(slot, PlainSlot)
        slot.closed = True
