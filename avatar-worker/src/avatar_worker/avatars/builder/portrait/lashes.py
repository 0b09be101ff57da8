"""Lashes of a closed eye: a dark line that swells towards the temple, and hairs that hang from it."""

from __future__ import annotations

from typing import Final

import numpy as np

from .fill import Floats
from .slit import Array, smoothstep

LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)

LINE_U: Final = (0.012, 0.034)
"""Thickness of the line at the nose's end of the lid and at the temple's."""

HAIR_U: Final = (0.030, 0.065)
"""Length of the hairs there."""

SPACING_U: Final = 0.034
DARKEST: Final = 0.42
"""Lashes are no darker than this share of the skin: light gets between them."""

FAINT, STRONG = 0.35, 1.0
"""How strongly lashes are drawn where the photo shows none, and where they are black."""


def lashes(part: Floats, x: Array, over: Array, below: Array, u: float) -> tuple[Array, Floats]:
    """Say how much lashes cover and what colour they have.

    Args:
        part: The photo around the eye. (h, w, 3).
        x: Along the eye: 1 at the corner by the nose, -1 at the other one. (h, w).
        over: How far over the closed eye's line a pixel of the upper lid will lie, pixels.
        below: How far under the lower lid's edge a pixel lies, pixels.
        u: Inter-ocular distance, pixels.

    Returns:
        Cover [0, 1], (h, w), and one colour, (3,).
    """
    colour, strength = _colour(part, x, over, below, u)
    outwards = np.clip((1 - x) / 2, 0, 1)
    ends = smoothstep(1.06, 0.78, np.abs(x))
    line = (LINE_U[0] + (LINE_U[1] - LINE_U[0]) * outwards**1.3) * u * (0.3 + 0.7 * ends)
    upper = below < 0
    # The line is on the upper lid; the lower one only meets it.
    rim = np.where(upper, 0.85, 0.40) * np.exp(
        -((np.where(upper, np.abs(over), below) / (0.62 * line)) ** 2)
    )
    rim = np.where(upper & (over < 0), 0.85, rim)
    hair = _hairs(x, below, outwards, u) * (below > -0.5 * line)
    cover = np.maximum(rim * ends, 0.40 * hair * ends)
    return np.asarray(strength * cover), colour


def _hairs(x: Array, below: Array, outwards: Array, u: float) -> Array:
    """Tapering strokes that fan out, a little uneven. [0, 1]."""
    length = (HAIR_U[0] + (HAIR_U[1] - HAIR_U[0]) * outwards) * u
    depth = np.clip(below / length, 0, 1)
    # In eye widths of .4 u: the hairs lean away from the nose, the more the farther out.
    place = (0.20 * u * x + below * (0.9 * outwards - 0.15)) / (SPACING_U * u)
    number = np.floor(place)
    uneven = np.abs(np.sin(12.9898 * number) * 43758.5453) % 1
    aside = place - number - 0.5 + 0.3 * (uneven - 0.5)
    stroke = np.exp(-((aside / (0.34 - 0.16 * depth)) ** 2))
    return np.asarray(stroke * np.clip(1 - depth / (0.65 + 0.35 * uneven), 0, 1) ** 0.8)


def _colour(part: Floats, x: Array, over: Array, below: Array, u: float) -> tuple[Floats, float]:
    """The photo's own lashes: their colour, and how much darker than skin they are."""
    luma = part @ LUMA
    root = (np.abs(x) < 0.85) & (below < 0) & (over > -0.005 * u) & (over < 0.03 * u)
    skin = (np.abs(x) < 1.2) & (below > 0.08 * u) & (below < 0.25 * u)
    if root.sum() < 8 or skin.sum() < 8:
        return np.full(3, 40.0, np.float32), FAINT
    light = float(np.median(luma[skin]))
    dark = root & (luma <= np.percentile(luma[root], 25))
    colour = part[dark].mean(0)
    value = float(colour @ LUMA)
    contrast = 1 - value / max(light, 1.0)
    wanted = min(max(value, 0.12 * light), DARKEST * light)
    strength = FAINT + (STRONG - FAINT) * float(np.clip((contrast - 0.15) / 0.45, 0, 1))
    return np.asarray(colour * (wanted / max(value, 1.0)), np.float32), strength


__all__ = ["lashes"]
