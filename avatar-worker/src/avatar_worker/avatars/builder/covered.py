"""Can the lips be seen, or does a hand, a microphone or a cup cover them?

The landmark net is no witness: it draws lips where it expects them. Lips are redder than the skin
around them, and between them runs a dark line; what covers a mouth has neither. Measured on the
face turned upright at a common scale. Good for a remark, not for a refusal.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from .glasses import Floats, upright
from .landmarks import Face

OUTLINE: Final = (
    61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146,
)  # fmt: skip
INSIDE_UPPER: Final = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
INSIDE_LOWER: Final = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
SKIN: Final = (50, 280, 5)

RED: Final = 1.75
"""Lips are redder than the skin around by at least this, in a* of CIELAB as OpenCV scales it."""

SEAM: Final = 0.15
"""The line between lips is darker than lips and skin by at least this share of the skin's light."""

RING_PX: Final = (4, 9)
ACROSS_PX: Final = 9
PLACES: Final = 31
FEWEST_PX: Final = 12


def lips_score(rgb: npt.NDArray[np.uint8], face: Face) -> float:
    """Return 1 or more where lips are seen, less where something seems to cover them.

    Bare mouths score 1.2 to 12, ones covered by a drawn hand, microphone or cup up to .8.

    Args:
        rgb: The photo. uint8, (h, w, 3).
        face: The face in it.
    """
    picture, points = upright(rgb, face)
    soft = cv2.GaussianBlur(picture, (0, 0), 1.0)
    lab = cv2.cvtColor(soft, cv2.COLOR_RGB2LAB).astype(np.float64)
    return max(_redness(lab[..., 1], points) / RED, _seam(lab[..., 0], points) / SEAM)


def _redness(red: Floats, points: Floats) -> float:
    """How much redder the lips are than the skin around them."""
    whole = _filled(points[list(OUTLINE)], red.shape)
    inside = _filled(points[[*INSIDE_UPPER, *INSIDE_LOWER[-2:0:-1]]], red.shape)
    lips = whole & ~inside
    if lips.sum() < FEWEST_PX:
        lips = whole
    near, far = (_widened(whole, pixels) for pixels in RING_PX)
    around = far & ~near
    if not lips.any() or not around.any():
        return 0.0
    return float(red[lips].mean() - red[around].mean())


def _seam(light: Floats, points: Floats) -> float:
    """How much darker the line between the lips is than what lies over and under it."""
    left, right = points[INSIDE_UPPER[0]], points[INSIDE_UPPER[-1]]
    along = (right - left) / max(float(np.hypot(*(right - left))), 1.0)
    down = np.array([-along[1], along[0]])
    edges = (points[list(INSIDE_UPPER)] + points[list(INSIDE_LOWER)]) / 2
    # The middle three quarters of the mouth.
    at = np.linspace(0.125, 0.875, PLACES) * (len(edges) - 1)
    line = np.stack([np.interp(at, np.arange(len(edges)), edges[:, i]) for i in (0, 1)], -1)
    steps = np.arange(-ACROSS_PX, ACROSS_PX + 1)
    where = np.rint(line[:, None] + steps[:, None] * down).astype(int)
    height, width = light.shape
    x, y = np.clip(where[..., 0], 0, width - 1), np.clip(where[..., 1], 0, height - 1)
    profile = light[y, x]
    ends = profile[:, [0, 1, -2, -1]].mean(1)
    dip = ends - profile[:, np.abs(steps) <= 2].min(1)
    x, y = np.rint(points[list(SKIN)]).astype(int).T
    skin = light[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)].mean()
    return float(np.median(dip) / max(skin, 1.0))


def _filled(outline: Floats, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    drawn = np.zeros(shape, np.uint8)
    cv2.fillPoly(drawn, [np.rint(outline).astype(np.int32)], 1)
    return drawn > 0


def _widened(area: npt.NDArray[np.bool_], pixels: int) -> npt.NDArray[np.bool_]:
    side = 2 * pixels + 1
    return np.asarray(cv2.dilate(area.astype(np.uint8), np.ones((side, side), np.uint8)) > 0)


__all__ = ["lips_score"]
