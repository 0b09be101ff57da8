"""How clearly the pixels show a face: its detail, its light, grain and the blocks of compression.

Nothing here knows what a face looks like; the landmarks only say where it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from .landmarks import Face

COMMON_FACE_PX: Final = 200.0
BURNT: Final = 250
"""A channel from here on has lost what it showed; where two have, only a flat spot is left."""

BLOCK_PX: Final = 8
"""JPEG codes squares of this side, counted from the picture's corner (ITU-T T.81 §A.1)."""

STEEP: Final = 20.0
LEAST_SPREAD: Final = 12.0


@dataclass(frozen=True, slots=True)
class Clarity:
    """What the pixels of one face are worth.

    Attributes:
        detail: Fine detail in percent of the face's own contrast; light and exposure cancel out.
        luma: Mean brightness, 0..255.
        burnt: Share of the face whose light is burnt out, [0, 1].
        grain: Typical noise in luma steps.
        blocks: By how many luma steps the edges of JPEG's squares stand out.
    """

    detail: float
    luma: float
    burnt: float
    grain: float
    blocks: float


def clarity(rgb: npt.NDArray[np.uint8], face: Face) -> Clarity:
    """Measure the part of a photo that shows the face.

    Args:
        rgb: The photo as it was decoded: enlarged or shrunk, blocks are no longer seen.
            uint8, (h, w, 3).
        face: The face in it.
    """
    (left, top), (right, bottom) = _box(rgb, face)
    part = np.ascontiguousarray(rgb[top:bottom, left:right])
    grey = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY)
    hull = cv2.convexHull(np.rint(face.landmarks[:468, :2] - [left, top]).astype(np.int32))
    drawn = np.zeros(grey.shape, np.uint8)
    cv2.fillConvexPoly(drawn, hull, 1)
    inside = drawn > 0 if drawn.any() else np.ones(grey.shape, bool)
    light = grey[inside].astype(np.float64)
    dark, bright = np.percentile(light, [5, 95])
    fine = grey.astype(np.float32) - cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 1.0)
    return Clarity(
        detail=100 * sharpness(rgb, face) / max(LEAST_SPREAD, float(bright - dark)),
        luma=float(light.mean()),
        burnt=float(((part[inside] >= BURNT).sum(-1) >= 2).mean()),
        grain=1.48 * float(np.median(np.abs(fine[inside]))),
        blocks=(_edges(grey, left) + _edges(grey.T, top)) / 2,
    )


def sharpness(rgb: npt.NDArray[np.uint8], face: Face) -> float:
    """Fine detail in the face at a common scale: spread of the Laplacian, in luma steps.

    The face is scaled to 200 px first, so a large photo does not pass for a blurred one.
    """
    (left, top), (right, bottom) = _box(rgb, face)
    grey = cv2.cvtColor(np.ascontiguousarray(rgb[top:bottom, left:right]), cv2.COLOR_RGB2GRAY)
    scale = COMMON_FACE_PX / (right - left)
    if scale < 1:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return float(cv2.Laplacian(grey.astype(np.float32), cv2.CV_32F).std())


def _box(rgb: npt.NDArray[np.uint8], face: Face) -> tuple[tuple[int, int], tuple[int, int]]:
    """Top left and bottom right pixel of what the picture shows of the face; never empty."""
    height, width = rgb.shape[:2]
    low, high = face.landmarks[:468, :2].min(0), face.landmarks[:468, :2].max(0)
    left, top = np.clip(low, 0, [width - 2, height - 2]).astype(int)
    right, bottom = np.clip(np.ceil(high), [left + 2, top + 2], [width, height]).astype(int)
    return (int(left), int(top)), (int(right), int(bottom))


def _edges(grey: npt.NDArray[Any], first: int) -> float:
    """By how much steps between columns are larger at every eighth than between the others.

    Args:
        grey: A part of the picture, luma. (h, w).
        first: The column of the picture that the part begins with.
    """
    steps = np.abs(np.diff(grey.astype(np.float64), axis=1))
    if steps.shape[1] < 3 * BLOCK_PX:
        return 0.0
    # Lids and lips are steeper than any square's edge; they would hide it by chance.
    steps = np.minimum(steps, STEEP)
    phase = (np.arange(steps.shape[1]) + first) % BLOCK_PX
    means = [float(steps[:, phase == k].mean()) for k in range(BLOCK_PX)]
    return means[-1] - float(np.median(means[:-1]))
