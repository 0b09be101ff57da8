"""How lids and brows move: displacement fields for the upper and the lower skin of each eye."""

from __future__ import annotations

from typing import Final

import numpy as np

from .measures import EYES, Measures
from .mouth_shapes import Pair
from .slit import Array, Opening, bell, smoothstep

UPPER_SHARE: Final = 0.97
"""Of a blink's way; the lower lid comes up by the rest."""

SAG_U: Final = 0.028
"""How far both lids sink together at the middle of a closed eye: its line is an arc, not a ruler."""

SQUINT_UPPER_U, SQUINT_LOWER_U = 0.012, 0.042
SQUINT_UPPER, SQUINT_LOWER = 0.08, 0.27
"""How far the lids go when eyes squint or smile, and the most of it by the eye's own opening: the
cheek pushes up the lower lid, and an upper one that comes down as well looks suspicious."""

LASHES_U: Final = 0.045
INNER: Final = {"l": -1.0, "r": 1.0}
"""Where an eye's corner at the nose lies in its `s`."""


def eye_fields(m: Measures, xy: Array) -> dict[str, Pair]:
    """Return every shape of lids and brows at canvas points (n, 2)."""
    fields: dict[str, Pair] = {}
    inner = np.zeros_like(xy)
    for side in EYES:
        eye, mark = m.eyes[side], side.upper()
        s, t = eye.local(xy)
        above = t - eye.upper(s)
        opening = np.maximum(eye.lower(s) - eye.upper(s), 0)
        fields |= _lid_shapes(m, side, xy)
        # Lids stay where they are while the brow moves.
        off_lid = smoothstep(0, 0.20 * m.u, -above)
        brow = m.brow_px[side]
        edge = m.brow_edge_px[side]
        free = np.clip(eye.upper(s) - np.interp(s, edge[:, 0], edge[:, 1]), 0.08 * m.u, 0.20 * m.u)
        # A rising brow goes up as a whole, the skin below it stretches; a falling one may not fold it.
        rising = smoothstep(0, 1, -above / free)
        window = np.exp(-((s / 1.5) ** 4)) * bell(t - brow, 0.36 * m.u)
        corner = np.exp(-(((s - INNER[side]) / 1.1) ** 2)) * bell(t - brow, 0.30 * m.u)
        whole, end = window * off_lid, corner * off_lid
        zero = np.zeros_like(opening)
        up = eye.vector(zero, -0.10 * m.u * window * rising)
        towards_nose = INNER[side] * 0.035 * m.u * end
        down = eye.vector(towards_nose, 0.045 * m.u * whole + 0.05 * m.u * end)
        fields[f"browUp{mark}"] = (up, up)
        fields[f"browDown{mark}"] = (down, down)
        inner = inner + eye.vector(zero, -0.06 * m.u * corner * rising)
    fields["browInnerUp"] = (inner, inner)
    return fields


def _lid_shapes(m: Measures, side: str, xy: Array) -> dict[str, Pair]:
    eye, u, mark = m.eyes[side], m.u, side.upper()
    s, t = eye.local(xy)
    opening = np.maximum(eye.lower(s) - eye.upper(s), 0)
    middle = np.clip(1 - s * s, 0, None)
    upper = upper_lid(m, side, s, t)
    lower = _lower_lid(m, eye, s, t)
    zero = np.zeros_like(s)

    def lids(down_upper: Array, down_lower: Array) -> Pair:
        return eye.vector(zero, down_upper * upper), eye.vector(zero, down_lower * lower)

    sag = SAG_U * u * middle
    blink, rise = lids(blink_px(m, side, s), sag - (1 - UPPER_SHARE) * opening)
    # The lashes beyond the outer corner bow with the lid, or they stand up like a horn.
    outer = bell(s + INNER[side], 0.34) * smoothstep(0.06 * u, -0.01 * u, t)
    outer = outer * (1 - smoothstep(0.08 * u, 0.22 * u, -t))
    blink = blink + eye.vector(zero, LASHES_U * u * outer)
    return {
        f"blink{mark}": (blink, rise),
        f"squint{mark}": lids(
            np.minimum(SQUINT_UPPER_U * u * middle, SQUINT_UPPER * opening),
            -np.minimum(SQUINT_LOWER_U * u * middle, SQUINT_LOWER * opening),
        ),
        f"eyeWide{mark}": lids(-0.035 * u * middle, 0.006 * u * middle),
    }


def blink_px(m: Measures, side: str, s: Array) -> Array:
    """How far down a blink brings the upper lid's edge: to the lower one and a little over it."""
    eye = m.eyes[side]
    opening = np.maximum(eye.lower(s) - eye.upper(s), 0)
    return np.asarray(UPPER_SHARE * opening + (0.010 + SAG_U) * m.u * np.clip(1 - s * s, 0, None))


def upper_lid(m: Measures, side: str, s: Array, t: Array) -> Array:
    """1 at the upper lid's edge; ends below the brow, which a blink must not drag along."""
    eye, brow, u = m.eyes[side], m.brow_edge_px[side], m.u
    to_brow = eye.upper(s) - np.interp(s, brow[:, 0], brow[:, 1])
    still = 0.030 * u  # the lashes' roots go down as a whole
    reach = np.clip(0.85 * to_brow - still, 0.055 * u, 0.17 * u)
    t = t - eye.upper(s)
    opening = eye.lower(s) - eye.upper(s)
    above = 1 - np.clip((-t - still) / reach, 0, 1) ** 1.15
    below = 1 - smoothstep(0, 0.32 * u, t - opening)
    return np.where(t > 0, below, above) * _beside(s)


def _lower_lid(m: Measures, eye: Opening, s: Array, t: Array) -> Array:
    """1 at the lower lid's edge; ends on the cheek and, on the far side, below the brow."""
    t = t - eye.lower(s)
    below = 1 - smoothstep(0, 0.22 * m.u, t)
    above = 1 - smoothstep(0.14 * m.u, 0.34 * m.u, -t)
    return np.where(t < 0, above, below) * _beside(s)


def _beside(s: Array) -> Array:
    return np.asarray(np.exp(-((np.maximum(np.abs(s) - 0.9, 0) / 0.35) ** 2)))
