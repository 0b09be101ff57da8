"""The person's own upper teeth, cut from a photo that shows them.

They stand where the photo shows them: upper teeth belong to the skull, only the lip comes down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from .fill import Floats, push_pull
from .measures import Measures
from .slit import Array, smoothstep

LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)

SMALLEST_GAP_U: Final = 0.055
"""Lips that are parted by less show a strip that is no good as a row of teeth."""

SMALLEST_SHARE: Final = 0.45
"""So much of the parted lips has to be enamel, or the mouth is open and not smiling."""

LEAST_CONTRAST: Final = 14.0
"""Enamel and what is beside it differ at least by this, in units of whiteness."""

BRIGHTEST: Final = 1.1
"""Enamel in the photo's light, of the skin: a flash that lights a smile does not reach in speech."""

REDDENING: Final = (0.94, 1.02, 1.06)
"""What lies in the mouth's shade is lit by flesh: exponents of the shade by channel."""

REDNESS: Final = 1.5
CROWN_MM: Final = 8.5
"""How far above its edge a crown is drawn, where the lip hides it in the photo."""


@dataclass(frozen=True, slots=True)
class OwnTeeth:
    """A row of teeth on the canvas.

    Attributes:
        origin: Top left pixel (x, y).
        colour: RGB, 0..255. float32, (h, w, 3).
        alpha: [0, 1]. (h, w).
        enamel: Their typical colour. (3,).
    """

    origin: tuple[int, int]
    colour: Floats
    alpha: Array
    enamel: Array


def own_teeth(rgb: npt.NDArray[np.uint8], m: Measures) -> OwnTeeth | None:
    """Cut the row out; `None` where the photo shows none that would do.

    Args:
        rgb: The portrait on its canvas. uint8, (H, W, 3).
        m: The face.
    """
    if m.gap_px < SMALLEST_GAP_U * m.u:
        return None
    origin, part, s, t = _window(rgb, m)
    upper, lower = m.mouth.upper(s), m.mouth.lower(s)
    rim = 0.012 * m.u
    inside = (np.abs(s) < 0.94) & (t > upper + rim) & (t < lower - rim)
    if inside.sum() < 60:
        return None
    enamel_share = _enamel(part, inside)
    if enamel_share is None:
        return None
    known = inside & (enamel_share > 0.6)
    known = _largest(known)
    if known.sum() < SMALLEST_SHARE * inside.sum():
        return None
    enamel = np.median(part[known], axis=0).astype(np.float64)
    # The row's lower edge, column by column along the mouth, smoothed into one arc.
    edge = _lower_edge(s, t, known)
    colour = push_pull(part, known.astype(np.float32))
    below = t - edge(s)
    crown = smoothstep(CROWN_MM * m.mm, (CROWN_MM - 2.5) * m.mm, -below)
    alpha = smoothstep(0.020 * m.u, -0.012 * m.u, below) * crown
    alpha = alpha * smoothstep(1.04, 0.92, np.abs(s))
    # Under the lip that the photo lifted they lie in its shade, and a smile is wider than speech.
    shade = 1 - 0.45 * smoothstep(0.0, 5.0 * m.mm, upper - t)
    shade = shade * (1 - 0.62 * smoothstep(0.45, 1.0, np.abs(s)))
    brightest = float(np.percentile((part @ LUMA)[known], 95))
    held = min(1.0, BRIGHTEST * skin_luma(rgb, m) / max(brightest, 1.0))
    colour = np.asarray(colour * held * reddened(shade), np.float32)
    return OwnTeeth(origin, colour, alpha, held * enamel)


def reddened(shade: Array) -> Array:
    """Light that a shade leaves, by channel: (...,) to (..., 3)."""
    return np.asarray(shade[..., None] ** np.array(REDDENING))


def skin_luma(rgb: npt.NDArray[np.uint8], m: Measures) -> float:
    """Brightness of nose and cheeks."""
    at = np.rint(m.points[[5, 50, 280], :2]).astype(int)
    y, x = np.clip(at[:, 1], 0, rgb.shape[0] - 1), np.clip(at[:, 0], 0, rgb.shape[1] - 1)
    blurred = cv2.GaussianBlur(rgb, (0, 0), 0.05 * m.u)
    return float((blurred[y, x].astype(np.float32) @ LUMA).mean())


def _window(
    rgb: npt.NDArray[np.uint8], m: Measures
) -> tuple[tuple[int, int], Floats, Array, Array]:
    height, width = rgb.shape[:2]
    x, y = m.mouth.centre
    beside, reach = 1.1 * m.mouth.half_width, m.gap_px + 14 * m.mm
    left, top = (int(max(0, v)) for v in (x - beside, y - reach))
    right, bottom = int(min(width, x + beside)), int(min(height, y + reach))
    rows, columns = np.mgrid[top:bottom, left:right]
    s, t = m.mouth.local(np.stack([columns, rows], -1) * 1.0)
    return (left, top), rgb[top:bottom, left:right].astype(np.float32), s, t


def _enamel(part: Floats, inside: npt.NDArray[np.bool_]) -> Array | None:
    """How surely each pixel is enamel, from two clusters of whiteness. (h, w)."""
    whiteness = part @ LUMA - REDNESS * np.maximum(part[..., 0] - part[..., 1:].mean(-1), 0)
    values = whiteness[inside]
    low, high = np.percentile(values, (10, 80))
    for _ in range(12):
        middle = (low + high) / 2
        above, under = values[values > middle], values[values <= middle]
        if not len(above) or not len(under):
            break
        low, high = float(under.mean()), float(above.mean())
    if high - low < LEAST_CONTRAST:
        return None
    return smoothstep(0.25, 0.75, (whiteness - low) / (high - low))


def _largest(flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The largest connected part, its small holes closed."""
    closed = cv2.morphologyEx(flags.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(closed)
    if count < 2:
        return flags
    best = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    return np.asarray((labels == best) & flags)


def _lower_edge(s: Array, t: Array, known: npt.NDArray[np.bool_]) -> np.poly1d:
    """The arc of the biting edge: `t` as a parabola of `s`."""
    places, ends = [], []
    for low in np.arange(-0.85, 0.85, 0.05):
        column = known & (s >= low) & (s < low + 0.05)
        if column.sum() >= 3:
            places.append(low + 0.025)
            ends.append(float(np.percentile(t[column], 97)))
    if len(places) < 5:
        return np.poly1d([float(t[known].max())])
    return np.poly1d(np.polyfit(places, ends, 2))
