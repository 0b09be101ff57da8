"""The rims of the lips: what a photo shows there is light of teeth, and what opens is flesh.

Where lips part, pixels at their edges are a mixture of lip and tooth, and at the corners of skin and
shade. Moved apart, they would stand around the open mouth as a light line.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from .fill import Floats, push_pull
from .measures import Measures
from .slit import Array, smoothstep

PARTED_U: Final = 0.02
"""Lips that are farther apart in the photo show what is behind them."""

RIM_U: Final = 0.030
RIM_SHARE: Final = 0.40
"""How wide the spoilt rim of a parted lip is, at most, and of the lip's thickness."""

BEYOND: Final = (1.04, 1.10)
"""Of half the mouth's width: so far beyond the corners the rim is replaced, and shaded."""

TURNED_IN: Final = (0.66, 0.52, 0.51)
"""Light that is left where a lip turns inwards, by channel: wet flesh is redder than skin."""

TURNS_U: Final = (0.050, -0.008)
"""From the edge of the lip: where it begins to turn in, and where it has turned."""

SEAM_U: Final = 0.020
DARKEST: Final = 0.45
"""Between closed lips lies a black line, so wide. Split by an opening mouth it would be drawn around
it like a pen's, so it keeps this share of the light of the lips beside it."""

CLOSED_SHARE: Final = 0.25
"""Of that shade on lips that the photo shows closed: their own shade is there already."""


def lips(person: Floats, m: Measures, s: Array, t: Array) -> Floats:
    """Return the person with rims of flesh at both lips.

    Args:
        person: The skin's colours, 0..255. float32, (H, W, 3).
        m: The face.
        s: Along the mouth, of every pixel. (H, W).
        t: Down from the line between its corners. (H, W).
    """
    a = np.abs(s)
    above, below = m.mouth.upper(s) - t, t - m.mouth.lower(s)
    near = np.abs(t) < m.mouth.half_width
    parted = m.gap_px > PARTED_U * m.u
    if parted:
        upper, lower = (
            min(RIM_U * m.u, RIM_SHARE * thick) for thick in (m.upper_lip_px, m.lower_lip_px)
        )
        hole = near & (a < BEYOND[0]) & (above < upper) & (below < lower)
        person = grown_over(person, hole, 0.8)
    outside = np.maximum(above, below)
    if not parted:
        around = near & (a < 1) & (outside < 2 * SEAM_U * m.u)
        least = DARKEST * grown_over(person, around, 0.8)
        seam = (around & (outside < SEAM_U * m.u))[..., None]
        person = np.where(seam, np.maximum(person, least), person)
    turned = smoothstep(TURNS_U[0] * m.u, TURNS_U[1] * m.u, outside)
    turned = turned * smoothstep(BEYOND[1], 0.90, a) * near
    strength = 1.0 if parted else CLOSED_SHARE
    return np.asarray(
        person * (1 - strength * turned[..., None] * (1 - np.array(TURNED_IN))), np.float32
    )


def grown_over(person: Floats, hole: npt.NDArray[np.bool_], blur: float) -> Floats:
    """Fill a hole from what is around it.

    Args:
        person: A picture. float32, (H, W, 3).
        hole: What nobody shall see. (H, W).
        blur: Of its edge, pixels.
    """
    wide = cv2.dilate(hole.astype(np.uint8), np.ones((3, 3), np.uint8))
    y, x = np.nonzero(wide)
    if not len(x):
        return person
    margin = 24
    rows = slice(max(0, int(y.min()) - margin), int(y.max()) + margin)
    columns = slice(max(0, int(x.min()) - margin), int(x.max()) + margin)
    part = person[rows, columns]
    filled = push_pull(part, 1 - wide[rows, columns])
    share = cv2.GaussianBlur(hole[rows, columns].astype(np.float32), (0, 0), blur)[..., None]
    result = person.copy()
    result[rows, columns] = part * (1 - share) + filled * share
    return result
