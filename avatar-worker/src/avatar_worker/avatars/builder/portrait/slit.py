"""An opening's own coordinates: how far along between its corners, how far below their line.

`s` is -1 and 1 at the corners and grows to image right; `t` is in pixels and grows downwards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator

Array = npt.NDArray[np.float64]

MOUTH_UPPER: Final = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
MOUTH_LOWER: Final = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
EYE_R_UPPER: Final = (33, 246, 161, 160, 159, 158, 157, 173, 133)
EYE_R_LOWER: Final = (33, 7, 163, 144, 145, 153, 154, 155, 133)
EYE_L_UPPER: Final = (362, 398, 384, 385, 386, 387, 388, 466, 263)
EYE_L_LOWER: Final = (362, 382, 381, 380, 374, 373, 390, 249, 263)
"""Landmarks from image left to image right. Sides are the subject's: `EYE_L` is at image right."""


@dataclass(frozen=True, slots=True)
class Opening:
    """A mouth or an eye.

    Attributes:
        centre: Middle between the corners, canvas pixels. (2,).
        half_width: Half the distance between the corners, pixels.
        along: Unit vector from the left corner to the right one. (2,).
        down: Unit vector downwards, square to `along`. (2,).
        upper: The upper edge's `t` at any `s`; 0 from the corners on.
        lower: The lower edge's.
    """

    centre: Array
    half_width: float
    along: Array
    down: Array
    upper: Callable[[Array], Array]
    lower: Callable[[Array], Array]

    def local(self, xy: Array) -> tuple[Array, Array]:
        """Return s and t of canvas points, each (...,) for (..., 2)."""
        offset = xy - self.centre
        return offset @ self.along / self.half_width, offset @ self.down

    def canvas(self, s: Array, t: Array) -> Array:
        """Return canvas points (..., 2) of s and t."""
        return self.centre + self.vector(s * self.half_width, t)

    def vector(self, along: Array, down: Array) -> Array:
        """Return canvas vectors (..., 2) of components in pixels."""
        return np.asarray(along[..., None] * self.along + down[..., None] * self.down)


def opening(points: Array, upper: Sequence[int], lower: Sequence[int]) -> Opening:
    """Make an opening from landmarks.

    Args:
        points: Face landmarks, canvas pixels. (478, 2 or more).
        upper: Indices along the upper edge, corner to corner, image left first.
        lower: The same for the lower edge; both share their corners.
    """
    left, right = points[upper[0], :2], points[upper[-1], :2]
    half_width = float(np.linalg.norm(right - left)) / 2
    along = (right - left) / (2 * half_width)
    down = np.array([-along[1], along[0]])
    centre = (left + right) / 2

    def edge(indices: Sequence[int]) -> Callable[[Array], Array]:
        offset = points[list(indices), :2] - centre
        return _edge(offset @ along / half_width, offset @ down)

    return Opening(centre, half_width, along, down, edge(upper), edge(lower))


def mouth_opening(points: Array) -> Opening:
    """The inner edge of the lips."""
    return opening(points, MOUTH_UPPER, MOUTH_LOWER)


def eye_opening(points: Array, side: str) -> Opening:
    """The lids of one eye; `side` is `l` or `r`, the subject's."""
    if side == "l":
        return opening(points, EYE_L_UPPER, EYE_L_LOWER)
    return opening(points, EYE_R_UPPER, EYE_R_LOWER)


def smoothstep(start: float, end: float, x: Array) -> Array:
    """0 at `start`, 1 at `end`, flat at both; `start` may lie above `end`."""
    r = np.clip((x - start) / (end - start), 0.0, 1.0)
    return np.asarray(r * r * (3 - 2 * r))


def bell(distance: Array, sigma: float) -> Array:
    """Gauss without the half: exp(-(distance / sigma)^2)."""
    return np.asarray(np.exp(-((distance / sigma) ** 2)))


def _edge(s: Array, t: Array) -> Callable[[Array], Array]:
    """A shape-preserving cubic through landmarks, pinned to 0 at the corners."""
    order = np.argsort(s, kind="stable")
    s, t = s[order], t[order]
    s[0], s[-1], t[0], t[-1] = -1.0, 1.0, 0.0, 0.0
    # Refined eye contours may fold back on themselves; the interpolator wants growing s.
    s = np.maximum.accumulate(np.clip(s, -1, 1) + 1e-4 * np.arange(len(s)))
    curve = PchipInterpolator(s, t, extrapolate=False)

    def at(x: Array) -> Array:
        inside = np.nan_to_num(curve(np.clip(x, s[0], s[-1])))
        return np.asarray(np.where(np.abs(x) < 1, inside, 0.0))

    return at
