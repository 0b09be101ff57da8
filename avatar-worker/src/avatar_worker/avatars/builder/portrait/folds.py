"""Folds that a face makes when it smiles or frowns: light and shade laid over the skin.

A mesh moves skin but never folds it, so a smile without them looks pulled by strings. A smile's fold
is drawn where it lies on the smiling face, from the wing of the nose past the corner of the mouth,
and painted where that skin is at rest; a frown's stand upright between the brows.

Source: Liu, Shan and Zhang, "Expressive Expression Mapping with Ratio Images", 2001.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline

from avatar_worker.avatars.avatar import Layer

from .fill import to_bytes
from .measures import Measures
from .mouth_shapes import mouth_fields
from .slit import Array, bell, smoothstep

WING: Final = {"l": 358, "r": 129}
CORNER: Final = {"l": 308, "r": 78}
OUTWARD: Final = {"l": 1.0, "r": -1.0}
"""Along the mouth, away from its middle."""

BROWS_ENDS: Final = (55, 285)
POINTS: Final = 64

SHADE: Final = (0.60, 0.30, 0.22)
GLEAM: Final = 1.30
"""The skin's colour in the deepest shade, by channel, and in the brightest light."""

FULL_SMILE: Final = 0.58
"""Weight of the shape that a smile ends with."""

SMILING_U: Final = (0.05, 0.13)
OWN_FOLDS: Final = 0.55
"""Corners that the photo lifts so far over the lips' middle come with folds: less is added then."""

STEP: Final = 8
"""Colours are rounded to multiples of this: what is laid on thinly needs no more, and packs well."""


def fold_layers(rgb: npt.NDArray[np.uint8], m: Measures) -> list[Layer]:
    """Return `fold_l`, `fold_r` (by the subject's sides) and `furrow`: straight alpha.

    Args:
        rgb: The portrait on its canvas. uint8, (H, W, 3).
        m: The face.
    """
    lifted = float(m.seam(np.zeros(1))[0]) / m.u
    strength = 1 - OWN_FOLDS * float(smoothstep(*SMILING_U, np.array(lifted)))
    layers = []
    for side in WING:
        points = m.points[[WING[side], CORNER[side]], :2]
        box = _box(rgb, np.concatenate([points, fold_line(m, side)]), 0.26 * m.u)
        ratio = 1 + strength * (_smile(m, side, _pixels(box)) - 1)
        layers.append(_layer(f"fold_{side}", rgb, box, ratio, m.u))
    box = _box(rgb, m.points[list(BROWS_ENDS), :2], 0.26 * m.u)
    return [*layers, _layer("furrow", rgb, box, _frown(m, _pixels(box)), m.u)]


def _smile(m: Measures, side: str, xy: Array) -> Array:
    """Light of a smiling cheek, of the resting one's, at canvas points of the photo. (h, w)."""
    u = m.u
    # A line that is straight on the smiling face is not on the resting one, which is painted on.
    smiling = xy + _pulled(m, side, xy)
    along, across = _beside(fold_line(m, side), smiling, OUTWARD[side])
    ends = smoothstep(-0.05, 0.10, along) * smoothstep(1.0, 0.22, along)
    wide = 1 + 0.9 * along
    # The cheek hangs over: a narrow edge towards it, a soft fall towards the lip.
    line = 0.045 * bell(across / wide, 0.016 * u)
    inner = 0.105 * np.where(across < 0, bell(across / wide, 0.055 * u), bell(across, 0.020 * u))
    lifted = smoothstep(-0.05, 0.25, along) * smoothstep(1.0, 0.60, along)
    bulge = 0.075 * bell(across - 0.125 * u, 0.085 * u)
    corner = _corner(m, side)
    dimple = 0.17 * bell(np.linalg.norm(smiling - corner, axis=-1), 0.034 * u)
    return np.asarray((1 + lifted * bulge - ends * (line + inner)) * (1 - dimple))


def fold_line(m: Measures, side: str) -> Array:
    """Points of the fold on the smiling face: from the wing of the nose outwards past the mouth.

    Args:
        m: The face.
        side: `l` or `r`, the subject's.
    """
    outwards, down = OUTWARD[side] * m.mouth.along, m.mouth.down
    wing = m.points[[WING[side]], :2]
    start = (wing + _pulled(m, side, wing))[0] - 0.03 * m.u * down + 0.015 * m.u * outwards
    corner = _corner(m, side)
    # On the far side of a turned head there is less room between mouth and jaw.
    room = (m.jaw_s[side == "l"] - 1) * m.mouth.half_width
    aside = min(0.185 * m.u, 0.42 * room)
    past = corner + aside * outwards - 0.07 * m.u * down
    middle = 0.5 * (start + past) + 0.012 * m.u * (outwards - down)
    end = corner + (aside + 0.02 * m.u) * outwards + 0.15 * m.u * down
    return np.stack([start, middle, past, end])


def _corner(m: Measures, side: str) -> Array:
    """Where a smile ends: a little outside the lifted corner of the lips. (2,)."""
    at = m.points[[CORNER[side]], :2]
    return np.asarray((at + _pulled(m, side, at))[0] + 0.02 * m.u * OUTWARD[side] * m.mouth.along)


def _pulled(m: Measures, side: str, xy: Array) -> Array:
    """What a full smile does to canvas points: the mean of both skins, which part at the lips."""
    fields = mouth_fields(m, xy.reshape(-1, 2))
    move = [sum(fields["close"]), FULL_SMILE * sum(fields[f"smile{side.upper()}"])]
    return np.asarray(sum(move) / 2).reshape(xy.shape)


def _frown(m: Measures, xy: Array) -> Array:
    """Light between brows drawn together, of the resting skin's, at canvas points. (h, w)."""
    u = m.u
    ends = m.points[list(BROWS_ENDS), :2]
    across_brows = (ends[1] - ends[0]) / np.linalg.norm(ends[1] - ends[0])
    upwards = np.array([across_brows[1], -across_brows[0]])
    offset = xy - ends.mean(0)
    x, y = offset @ across_brows / u, offset @ upwards / u
    apart = float(np.linalg.norm(ends[1] - ends[0])) / u
    # Two lines that lean apart upwards; the skin between them is pushed forward.
    line = np.abs(x) - 0.27 * apart - 0.10 * np.clip(y, -0.1, 0.2) ** 2
    height = bell((y - 0.03) ** 2, 0.013)
    dark = 0.085 * bell(line, 0.018) + 0.085 * bell(line, 0.050)
    return np.asarray(1 + height * (0.05 * bell(x, 0.25 * apart) - dark))


def _beside(points: Array, xy: Array, outward: float) -> tuple[Array, Array]:
    """How far along a curve, 0 to 1, and how far outside it, in pixels, canvas points lie."""
    run = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    curve = CubicSpline(run / run[-1], points)
    q = np.linspace(-0.06, 1, POINTS)
    at, towards = curve(q), curve(q, 1)
    offset = xy[..., None, :] - at
    nearest = np.argmin((offset**2).sum(-1), axis=-1)
    away = np.take_along_axis(offset, nearest[..., None, None], -2)[..., 0, :]
    tangent = towards[nearest]
    side = (away[..., 0] * tangent[..., 1] - away[..., 1] * tangent[..., 0]) * outward
    return q[nearest], np.sign(side) * np.linalg.norm(away, axis=-1)


def _layer(
    role: str, rgb: npt.NDArray[np.uint8], box: tuple[int, int, int, int], ratio: Array, u: float
) -> Layer:
    """Turn ratios of light into a texture that is laid over the skin."""
    left, top, right, bottom = box
    skin = cv2.GaussianBlur(rgb[top:bottom, left:right].astype(np.float64), (0, 0), 0.10 * u)
    dark = ratio < 1
    deepest = float(np.mean(SHADE))
    alpha = np.where(dark, (1 - ratio) / (1 - deepest), (ratio - 1) / (GLEAM - 1))
    colour = np.where(dark[..., None], skin * np.array(SHADE), skin * GLEAM)
    alpha[[0, -1]], alpha[:, [0, -1]] = 0, 0
    opacity = to_bytes(np.clip(alpha, 0, 1) * 255)
    colour = np.where(opacity[..., None] > 0, np.rint(colour / STEP) * STEP, 0)
    return Layer(role, (left, top), np.dstack([to_bytes(colour), opacity]))


def _box(rgb: npt.NDArray[np.uint8], points: Array, margin: float) -> tuple[int, int, int, int]:
    """Left, top, right, bottom around points, within the picture, at least 2 wide and high."""
    height, width = rgb.shape[:2]
    low, high = points.min(0) - margin, points.max(0) + margin
    left, top = int(np.clip(low[0], 0, width - 2)), int(np.clip(low[1], 0, height - 2))
    right = int(np.clip(np.ceil(high[0]), left + 2, width))
    bottom = int(np.clip(np.ceil(high[1]), top + 2, height))
    return left, top, right, bottom


def _pixels(box: tuple[int, int, int, int]) -> Array:
    left, top, right, bottom = box
    y, x = np.mgrid[top:bottom, left:right]
    return np.stack([x, y], -1) * 1.0
