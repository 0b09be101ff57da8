"""What a closing upper lid looks like: skin, where the photo has lashes and the socket's shadow."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from avatar_worker.avatars.avatar import Layer

from .fill import Floats, push_pull, to_bytes
from .measures import Measures
from .slit import Array, smoothstep

LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)

LASHES_U: Final = (0.016, 0.036)
"""This far above the edge the photo's lashes stay, and from there on the lid is painted."""

SHADOW_PERCENTILE: Final = 45.0
"""Skin around the eye that is darker than this is shadow, lash or fold."""

FORWARD: Final = 0.85
"""How far a lid leaves its socket's shadow for the light of the skin around when it closes."""

OTHER_HUE: Final = 0.75
"""How far it takes the hue of the skin around: lids stay redder."""

NEED: Final = (0.02, 0.22)
"""Where the photo is darker than the painted lid by this share it begins to be replaced, and is."""

GRAIN: Final = 0.5
"""Share of the cheek's fine detail that the painted lid takes."""


def lid_layer(rgb: npt.NDArray[np.uint8], m: Measures, side: str) -> Layer:
    """Paint one upper lid. Clear at the lashes, towards the brow, and where the photo will do.

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

    brow = m.brow_edge_px[side]
    above = eye.upper(s) - t
    to_brow = np.maximum(eye.upper(s) - np.interp(s, brow[:, 0], brow[:, 1]), 0.06 * u)
    below = t - eye.lower(s)
    near = (np.abs(s) < 1.6) & (above < to_brow - 0.02 * u) & (below < 0.34 * u)
    near &= (above > 0.05 * u) | (below > 0.06 * u) | (np.abs(s) > 1.15)
    own = near & (above > 0.05 * u) & (np.abs(s) < 1.3)
    lid = _painted(part, near, own, u)
    mirrored = eye.canvas(s, eye.lower(s) + 0.10 * u + np.abs(above)) - [left, top]
    lid = lid + GRAIN * _grain(part, mirrored, u)
    alpha = smoothstep(LASHES_U[0] * u, LASHES_U[1] * u, above)
    alpha = alpha * (1 - smoothstep(0.40, 1.0, above / to_brow))
    alpha = alpha * (1 - smoothstep(0.65, 1.40, np.abs(s)))
    soft = cv2.GaussianBlur(part, (0, 0), 0.012 * u) @ LUMA
    missing = 1 - soft / np.maximum(lid @ LUMA, 1.0)
    alpha = alpha * smoothstep(NEED[0], NEED[1], np.asarray(missing, np.float64))
    return _cut(f"lid_{side}", (left, top), lid, alpha)


def _painted(
    part: Floats, near: npt.NDArray[np.bool_], own: npt.NDArray[np.bool_], u: float
) -> Floats:
    """Smooth skin: the lid's own colours without their streaks, brought towards the skin around."""
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
    light = (socket + FORWARD * (around - socket)) @ LUMA
    hue = socket + OTHER_HUE * (around - socket)
    return np.asarray(hue * (light / np.maximum(hue @ LUMA, 1.0))[..., None], np.float32)


def _grain(part: Floats, where: Array, u: float) -> Floats:
    """Fine detail of the photo at points (x, y) of the part, without lashes' and folds' depth."""
    fine = part - cv2.GaussianBlur(part, (0, 0), 0.02 * u)
    x, y = np.moveaxis(where.astype(np.float32), -1, 0)
    found = cv2.remap(fine, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(np.clip(found, -6, 6), np.float32)


def _cut(role: str, origin: tuple[int, int], colour: Floats, alpha: Array) -> Layer:
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
