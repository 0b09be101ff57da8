"""The eye behind the lids: white without iris, a whole iris, the highlight that stays behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from avatar_worker.avatars.avatar import Layer

from .fill import Floats, push_pull, to_bytes
from .measures import Measures
from .slit import Array, smoothstep

IRIS: Final = {"r": (468, 469, 470, 471, 472), "l": (473, 474, 475, 476, 477)}
IRIS_U: Final = 0.093
"""Radius of a human iris."""

GAZE_U: Final = 0.16
"""How far the iris moves per sine of the angle."""


@dataclass(frozen=True, slots=True)
class _Window:
    """A part of the canvas around one eye."""

    origin: tuple[int, int]
    xy: Array
    rgb: Floats
    inside: npt.NDArray[np.bool_]
    centre: Array
    radius: float


def eye_layers(rgb: npt.NDArray[np.uint8], m: Measures, side: str) -> list[Layer]:
    """Return `eye`, `iris` and `glint` of one side.

    Args:
        rgb: The portrait on its canvas. uint8, (H, W, 3).
        m: The face.
        side: `l` or `r`, the subject's.
    """
    window = _window(rgb, m, side)
    iris, solid, glint = _iris(window)
    return [
        Layer(f"eye_{side}", window.origin, to_bytes(_white(window, m, side))),
        Layer(f"iris_{side}", window.origin, np.dstack([to_bytes(iris), to_bytes(solid * 255)])),
        Layer(f"glint_{side}", window.origin, glint),
    ]


def iris_measure(m: Measures, side: str) -> tuple[Array, float]:
    """Centre (2,) and radius of the iris, canvas pixels."""
    centre, *rim = (m.points[i, :2] for i in IRIS[side])
    radius = float(np.mean([np.linalg.norm(point - centre) for point in rim]))
    return centre, float(np.clip(radius, 0.085 * m.u, 0.105 * m.u))


def _window(rgb: npt.NDArray[np.uint8], m: Measures, side: str) -> _Window:
    eye = m.eyes[side]
    height, width = rgb.shape[:2]
    reach = eye.half_width + 0.14 * m.u
    left = int(np.clip(eye.centre[0] - reach, 0, width - 2))
    top = int(np.clip(eye.centre[1] - 0.26 * m.u, 0, height - 2))
    right = int(np.clip(eye.centre[0] + reach, left + 2, width))
    bottom = int(np.clip(eye.centre[1] + 0.26 * m.u, top + 2, height))
    y, x = np.mgrid[top:bottom, left:right]
    xy = np.stack([x, y], -1) * 1.0
    s, t = eye.local(xy)
    edge = 0.014 * m.u  # lashes and the lid's wet rim
    inside = (np.abs(s) < 0.97) & (t > eye.upper(s) + 1.6 * edge) & (t < eye.lower(s) - edge)
    centre, radius = iris_measure(m, side)
    part = rgb[top:bottom, left:right].astype(np.float32)
    return _Window((left, top), xy, part, inside, centre, radius)


def _white(window: _Window, m: Measures, side: str) -> Floats:
    """The eye's white, grown under the lids and where the iris was."""
    distance = np.linalg.norm(window.xy - window.centre, axis=-1)
    s, t = m.eyes[side].local(window.xy)
    corner = np.abs(s) < 0.82
    known = window.inside & corner & (distance > 1.25 * window.radius)
    luma = window.rgb @ np.array([0.299, 0.587, 0.114], np.float32)
    if known.sum() < 12:
        white = np.full_like(window.rgb, 0.75 * float(window.rgb.max()))
        known[:] = False
    else:
        # Lashes, the iris's rim and the lids' shade are no white.
        known &= luma > np.percentile(luma[known], 70)
        white = push_pull(window.rgb, known)
    # What lies under the lids is in their shade, and the ball turns away at the corners.
    middle = (m.eyes[side].upper(s) + m.eyes[side].lower(s)) / 2
    shade = 1 - 0.25 * smoothstep(0.03 * m.u, 0.14 * m.u, np.abs(t - middle))
    shade = shade * (1 - 0.25 * smoothstep(0.75, 1.15, np.abs(s)))
    soft = cv2.GaussianBlur(white, (0, 0), 0.020 * m.u)
    outside = known | (window.inside & (distance > 1.6 * window.radius))
    own = cv2.GaussianBlur(outside.astype(np.float32), (0, 0), 0.8)[..., None]
    return np.asarray(window.rgb * own + soft * shade[..., None] * (1 - own), np.float32)


def _iris(window: _Window) -> tuple[Floats, Array, npt.NDArray[np.uint8]]:
    """The disc's colours and alpha, and the highlight as RGBA."""
    offset = window.xy - window.centre
    distance = np.linalg.norm(offset, axis=-1)
    disc = distance < 1.1 * window.radius
    seen = window.inside & disc
    rings = max(6, round(1.1 * window.radius))
    ring = np.clip((distance / (1.1 * window.radius) * rings).astype(int), 0, rings - 1)
    profile, known = np.zeros((rings, 3), np.float32), np.zeros(rings, np.float32)
    for i in range(rings):
        pixels = window.rgb[seen & (ring == i)]
        if len(pixels) >= 3:
            profile[i], known[i] = np.percentile(pixels, 40, axis=0), 1
    if not known.any():
        profile[:] = 60
    else:
        index = np.arange(rings)
        for channel in range(3):
            profile[:, channel] = np.interp(index, index[known > 0], profile[known > 0, channel])
    radius_in_rings = distance / (1.1 * window.radius) * rings - 0.5
    typical = np.stack(
        [np.interp(radius_in_rings, np.arange(rings), profile[:, c]) for c in range(3)], -1
    ).astype(np.float32)
    excess = window.rgb.mean(-1) - typical.mean(-1)
    near = distance < 0.85 * window.radius
    spark = np.where(seen & near, smoothstep(35.0, 90.0, excess), 0.0).astype(np.float32)
    trusted = seen & (spark < 0.05) & (distance < 0.98 * window.radius)
    trusted &= excess < 30
    share = cv2.GaussianBlur(
        cv2.erode(trusted.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.float32),
        (0, 0), 0.8,
    )[..., None]  # fmt: skip
    colours = window.rgb * share + typical * (1 - share)
    solid = smoothstep(window.radius + 1.0, window.radius - 1.2, distance)
    spark = np.asarray(cv2.GaussianBlur(spark, (0, 0), 0.6), np.float32)
    bright = np.where(seen[..., None] & near[..., None], window.rgb, 0)
    peak = push_pull(bright, spark > 0.5) if (spark > 0.5).any() else window.rgb
    glint = np.dstack([to_bytes(np.maximum(peak, window.rgb)), to_bytes(spark * 255)])
    return np.asarray(colours, np.float32), solid, glint
