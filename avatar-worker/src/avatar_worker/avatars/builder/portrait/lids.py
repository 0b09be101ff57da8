"""What a closed eye looks like: a lid with its fold, and lashes that hang over the cheek.

Painted on the texture plane for the place where it lies on the screen when the eye is closed: the
mesh stretches a strip of skin over the whole eyeball, and what is painted must not look stretched.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from avatar_worker.avatars.avatar import Layer

from .eye_shapes import INNER, blink_px, upper_lid
from .fill import Floats, push_pull, to_bytes
from .lashes import lashes
from .measures import Measures
from .slit import Array, smoothstep

LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)

SHADOW_PERCENTILE: Final = 45.0
"""Skin around the eye that is darker than this is shadow, lash or fold."""

FORWARD: Final = 0.85
"""How far a lid leaves its socket's shadow for the light of the skin around when it closes."""

OTHER_HUE: Final = 0.75
"""How far it then takes the hue of the skin around: lids stay redder."""

STRAY: Final = (0.05, 0.15)
"""Thin lines beside the eye are lashes where they are darker than around them by this share."""

GRAIN: Final = 0.8
"""Share of the cheek's fine detail that the painted lid takes."""

OF_USUAL: Final = 4.0
GRAIN_LEVELS: Final = (6.0, 20.0)
"""Fine detail is cut at so many times its median around the eye, between these levels of 255."""

BELOW_U: Final = 0.055
"""So far under the lower lid's edge its wet rim and the photo's own lashes are painted over."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the pixels around one eye lie.

    Attributes:
        s: Along the eye, -1 and 1 at its corners. (h, w).
        t: Downwards, canvas pixels.
        above: Over the open upper lid's edge, pixels.
        below: Under the lower lid's edge.
        over: Over the closed eye's line, once the eye is closed.
        height: Of the closed lid, from that line to where its skin no longer moves.
        top: How far over the open edge the brow begins.
    """

    s: Array
    t: Array
    above: Array
    below: Array
    over: Array
    height: Array
    top: Array


def lid_layer(rgb: npt.NDArray[np.uint8], m: Measures, side: str) -> Layer:
    """Paint one closed eye. Clear towards the brow, towards the cheek, and beside the eye.

    Args:
        rgb: The portrait on its canvas. uint8, (H, W, 3).
        m: The face.
        side: `l` or `r`, the subject's.

    Returns:
        `lid_l` or `lid_r`, straight alpha, on the texture plane.
    """
    eye, u = m.eyes[side], m.u
    height, width = rgb.shape[:2]
    reach = 1.8 * eye.half_width
    left = int(np.clip(eye.centre[0] - reach, 0, width - 2))
    top = int(np.clip(eye.centre[1] - 0.5 * u, 0, height - 2))
    right = int(np.clip(eye.centre[0] + reach, left + 2, width))
    bottom = int(np.clip(eye.centre[1] + 0.5 * u, top + 2, height))
    y, x = np.mgrid[top:bottom, left:right]
    s, t = eye.local(np.stack([x, y], -1) * 1.0)
    part = rgb[top:bottom, left:right].astype(np.float32)
    at = _place(m, side, s, t)

    near = (np.abs(s) < 1.6) & (at.above < at.top - 0.02 * u) & (at.below < 0.34 * u)
    near &= (at.above > 0.05 * u) | (at.below > 0.06 * u) | (np.abs(s) > 1.15)
    own = near & (at.above > 0.05 * u) & (np.abs(s) < 1.3)
    q = np.clip(at.over / at.height, 0, 1.5)
    # The ball's bulge catches the light; towards brow and corners the socket's shade remains.
    forward = FORWARD * np.exp(-(((q - 0.30) / 0.42) ** 2)) * (1 - 0.55 * np.clip(s**2, 0, 1))
    plain = _painted(part, near, own, forward, u)
    mirrored = eye.canvas(s, eye.lower(s) + 0.10 * u + np.abs(at.over)) - [left, top]
    lid = (plain + GRAIN * _grain(part, mirrored, u)) * _relief(at, q, u)[..., None]
    cheek = push_pull(part, (at.below > 1.3 * BELOW_U * u) & (np.abs(s) < 1.5))
    towards_nose = s * INNER[side]
    strip, hair = lashes(part, towards_nose, at.over, at.below, u)

    beside = 1 - smoothstep(0.75, 1.40, np.abs(s))
    skin = (1 - smoothstep(0.45, 1.0, at.above / at.top)) * beside
    bare, stray = _without_lashes(part, u)
    # No lashes stand at the nose, but the edge of its shade runs there.
    stray = stray * smoothstep(1.20, 0.95, towards_nose) * smoothstep(-1.75, -1.40, towards_nose)
    stray = stray * (1 - smoothstep(0.45, 0.85, at.above / at.top)) * (1 - skin)
    both = skin + stray
    lid = (lid * skin[..., None] + bare * stray[..., None]) / np.maximum(both, 1e-3)[..., None]
    rim = smoothstep(BELOW_U * u, 0.5 * BELOW_U * u, at.below) * smoothstep(1.05, 0.9, np.abs(s))
    upper = (t < (eye.upper(s) + eye.lower(s)) / 2)[..., None]
    alpha = np.where(upper[..., 0], both, rim)
    colour = np.where(upper, lid, cheek)
    covered = strip + alpha * (1 - strip)
    share = (strip / np.maximum(covered, 1e-3))[..., None]
    return _cut(f"lid_{side}", (left, top), colour * (1 - share) + hair * share, covered)


def _place(m: Measures, side: str, s: Array, t: Array) -> _Place:
    eye = m.eyes[side]
    above = eye.upper(s) - t
    brow = m.brow_edge_px[side]
    to_brow = eye.upper(s) - np.interp(s, brow[:, 0], brow[:, 1])
    over = above + blink_px(m, side, s) * (1 - upper_lid(m, side, s, t))
    height = np.maximum(over - above + 0.17 * m.u, 0.10 * m.u)
    return _Place(s, t, above, t - eye.lower(s), over, height, np.maximum(to_brow, 0.06 * m.u))


def _relief(at: _Place, q: Array, u: float) -> Array:
    """Light on a closed lid: the ball's bulge, the fold above it, shade at the lashes.

    Args:
        at: Where the pixels lie.
        q: 0 at the closed line, 1 where the lid's skin ends. (h, w).
        u: Inter-ocular distance, pixels.
    """
    middle = np.clip(1 - at.s**2, 0, 1)
    bulge = 0.04 * np.exp(-(((q - 0.40) / 0.22) ** 2)) * middle
    fold = 0.10 * np.exp(-(((q - 0.82) / 0.09) ** 2)) * middle**0.5
    shade = 0.14 * np.exp(-np.maximum(at.over, 0) / (0.040 * u))
    return np.asarray(1 + bulge - fold - shade)


def _painted(
    part: Floats,
    near: npt.NDArray[np.bool_],
    own: npt.NDArray[np.bool_],
    forward: Array,
    u: float,
) -> Floats:
    """Smooth skin: the lid's own colours without their streaks, brought towards the skin around.

    Args:
        part: The photo around the eye. (h, w, 3).
        near: Skin around the eye and of the lid.
        own: The lid's.
        forward: How far it takes the light of the skin around. (h, w).
        u: Inter-ocular distance, pixels.
    """
    luma = part @ LUMA
    if own.sum() < 12:
        return part
    bright = near & (luma >= np.percentile(luma[near], SHADOW_PERCENTILE))
    around = cv2.GaussianBlur(push_pull(part, bright), (0, 0), 0.06 * u)
    # Wide rather than high: lashes and streaks stand upright.
    weight = (own & (luma >= np.percentile(luma[own], SHADOW_PERCENTILE))).astype(np.float32)
    size, wide, high = (0, 0), 0.12 * u, 0.04 * u
    colour = cv2.GaussianBlur(part * weight[..., None], size, sigmaX=wide, sigmaY=high)
    weight = np.asarray(cv2.GaussianBlur(weight, size, sigmaX=wide, sigmaY=high), np.float32)
    known = weight > 0.01
    socket = push_pull(colour / np.maximum(weight, 0.01)[..., None], known)
    light = (socket + forward[..., None] * (around - socket)) @ LUMA
    # Skin in the shade is redder than skin in the light.
    hue = socket + (OTHER_HUE / FORWARD * forward)[..., None] * (around - socket)
    return np.asarray(hue * (light / np.maximum(hue @ LUMA, 1.0))[..., None], np.float32)


def _without_lashes(part: Floats, u: float) -> tuple[Floats, Array]:
    """The photo without thin dark lines, (h, w, 3), and how surely each pixel is on one, (h, w)."""
    side = 2 * max(1, round(0.035 * u)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    bare = cv2.GaussianBlur(cv2.morphologyEx(part, cv2.MORPH_CLOSE, kernel), (0, 0), 0.02 * u)
    light = np.asarray(bare @ LUMA, np.float64)
    darker = 1 - np.asarray(part @ LUMA, np.float64) / np.maximum(light, 1.0)
    return np.asarray(bare, np.float32), smoothstep(*STRAY, darker)


def _grain(part: Floats, where: Array, u: float) -> Floats:
    """Fine detail of the photo at points (x, y) of the part, without lashes' and folds' depth."""
    fine = part - cv2.GaussianBlur(part, (0, 0), 0.02 * u)
    x, y = np.moveaxis(where.astype(np.float32), -1, 0)
    found = cv2.remap(fine, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    # A strong grain is kept; what stands out of it are lashes and folds.
    usual = float(np.median(np.abs(fine)))
    most = float(np.clip(OF_USUAL * usual, *GRAIN_LEVELS))
    return np.asarray(np.clip(found, -most, most), np.float32)


def _cut(role: str, origin: tuple[int, int], colour: Array, alpha: Array) -> Layer:
    """Keep the box of what is not clear, and one clear pixel around it."""
    pixels = np.dstack([to_bytes(colour), to_bytes(alpha * 255)])
    pixels[[0, -1], :, 3] = 0
    pixels[:, [0, -1], 3] = 0
    rows, columns = (np.flatnonzero(pixels[..., 3].any(axis)) for axis in (1, 0))
    if not len(rows):
        return Layer(role, origin, np.ascontiguousarray(pixels[:2, :2]))
    top, left = int(rows[0]) - 1, int(columns[0]) - 1
    kept = pixels[top : int(rows[-1]) + 2, left : int(columns[-1]) + 2]
    return Layer(role, (origin[0] + left, origin[1] + top), np.ascontiguousarray(kept))
