"""A sheet to paint on behind the lips: millimetres of an average face over canvas pixels."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from avatar_worker.avatars.avatar import Layer

from .fill import Floats, to_bytes
from .measures import Measures
from .slit import Array

SUPERSAMPLING: Final = 4


class Sheet:
    """A box of the canvas with its millimetres, supersampled.

    Attributes:
        origin: Its top left pixel (x, y).
        size: Width and height, canvas pixels.
        x: Millimetres along the mouth from the seam's middle. (h, w), supersampled.
        y: Millimetres below it.
        aside: How far to either side, of half the mouth's width.
    """

    def __init__(self, m: Measures, x: tuple[float, float], y: tuple[float, float]) -> None:
        base = m.mouth.centre + m.mouth.down * float(m.seam(np.zeros(1))[0])
        corners = np.array([
            base + (i * m.mouth.along + j * m.mouth.down) * m.mm for i in x for j in y
        ])  # fmt: skip
        low, high = np.floor(corners.min(0)).astype(int), np.ceil(corners.max(0)).astype(int)
        self.origin = (int(low[0]), int(low[1]))
        self.size = (int(high[0] - low[0]), int(high[1] - low[1]))
        columns, rows = (n * SUPERSAMPLING for n in self.size)
        j, i = np.mgrid[0:rows, 0:columns]
        offset = np.stack([i + 0.5, j + 0.5], -1) / SUPERSAMPLING - 0.5 + low - base
        self.x: Array = offset @ m.mouth.along / m.mm
        self.y: Array = offset @ m.mouth.down / m.mm
        self.aside: Array = np.abs(self.x) * m.mm / m.mouth.half_width

    def layer(self, role: str, colour: Array, alpha: Array | None = None) -> Layer:
        """Scale down to the canvas; straight alpha."""
        if alpha is None:
            return Layer(role, self.origin, to_bytes(self._small(colour)))
        soft = self._small(alpha)
        premultiplied = self._small(colour * alpha[..., None])
        plain = self._small(colour)
        straight = np.where(
            soft[..., None] > 0.02, premultiplied / np.maximum(soft, 0.02)[..., None], plain
        )
        return Layer(role, self.origin, np.dstack([to_bytes(straight), to_bytes(soft * 255)]))

    def _small(self, picture: Array) -> Floats:
        smooth = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 0.5 * SUPERSAMPLING)
        return np.asarray(cv2.resize(smooth, self.size, interpolation=cv2.INTER_AREA), np.float32)
