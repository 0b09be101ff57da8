"""How lips, jaw and cheeks move: displacement fields for the upper and the lower skin.

Everything but `close` is a function of coordinates in which the mouth is closed already; a photo
with parted lips would show its gap in every shape otherwise. Where both skins may be seen, beyond
the corners and away from the lips, both fields are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from .measures import Measures
from .slit import Array, bell, smoothstep

Pair = tuple[Array, Array]
"""Displacements of the upper and the lower skin, canvas pixels. Each (n, 2)."""

JAW_U: Final = 0.50
"""The lower lip's travel at weight 1, in `u`."""

CHIN_SHARE: Final = 0.57
"""What the chin's outline shows of it: a jaw swings back while it drops."""

CORNER_SHARE: Final = 0.36
"""What the corners take of it; less tears, more makes a letter-box."""

NECK_STOP_U: Final = 0.46
"""Below the chin: where the neck no longer goes along. Nearer, and it would fold in a yawn."""

JAW_NARROWS: Final = 0.32
"""How far a dropping jaw draws the corners together, of `narrow`."""

SMILE_REACH_U: Final = 0.33
CURL: Final = 3.0
"""How fast a smile's lift grows towards its corner. Both corners together make a parabola; bells did
a V, whose sides are straight."""

SOFT_CORNER_U: Final = 0.07
SEAL_FROM_ABOVE: Final = 0.35
UNSMILE: Final = {"narrow": 0.13, "smileL": -0.20, "smileR": -0.20}
"""Weights that a smiling photo keeps all the time, folded into `close`."""


@dataclass(frozen=True, slots=True)
class _Plane:
    """Coordinates of one skin in the closed mouth: s, |s|, t from the seam, reach from the lip."""

    s: Array
    a: Array
    t: Array
    reach: Array


def mouth_fields(m: Measures, xy: Array) -> dict[str, Pair]:
    """Return every shape of the mouth at canvas points.

    Args:
        m: The face.
        xy: Points, (n, 2).
    """
    s, t = m.mouth.local(xy)
    upper, lower, seam = m.mouth.upper(s), m.mouth.lower(s), m.seam(s)
    close_upper = (seam - upper) * _reach_upper(m, t - upper)
    close_lower = (seam - lower) * _reach_lower(m, t - lower)
    t_upper, t_lower = t + close_upper - seam, t + close_lower - seam
    a = np.abs(s)
    up = _Plane(s, a, t_upper, _reach_upper(m, t_upper))
    low = _Plane(s, a, t_lower, _reach_lower(m, t_lower))
    zero = np.zeros_like(s)
    face = m.on_face(xy)
    u, vector = m.u, m.mouth.vector

    def both(upper_field: tuple[Array, Array], lower_field: tuple[Array, Array]) -> Pair:
        return vector(*upper_field), vector(*lower_field)

    def same(along: Array, down: Array) -> Pair:
        field = vector(along, down)
        return field, field

    n_up, n_low = _narrow(m, up, _lip_band(m, up.t)), _narrow(m, low, _lower_band(m, low))
    q_up, q_low = _thickness(m, up), _thickness(m, low)
    drop_up, drop_low = _jaw(m, up, lower=False) * face, _jaw(m, low, lower=True) * face
    arch = 0.03 * u * _window(a, 2.6)
    jaw_up = drop_up * JAW_U * u - arch * up.reach
    jaw_low = drop_low * JAW_U * u
    aperture = JAW_U * u * _aperture(a) * face + arch
    fields = {
        "narrow": both((n_up, zero), (n_low, zero)),
        "jawOpen": both((JAW_NARROWS * n_up, jaw_up), (JAW_NARROWS * n_low, jaw_low)),
        "seal": both(
            (zero, SEAL_FROM_ABOVE * aperture * up.reach),
            (zero, -(1 - SEAL_FROM_ABOVE) * aperture * low.reach),
        ),
        "stretch": both((-0.20 * n_up, zero), (-0.20 * n_low, zero)),
        "pucker": both((0.34 * n_up, 0.24 * q_up), (0.34 * n_low, 0.24 * q_low)),
        "funnel": both(
            (0.09 * n_up, 0.14 * q_up - _window(a, 2.6) * 0.008 * u * up.reach),
            (0.09 * n_low, 0.14 * q_low + _window(a, 2.6) * 0.075 * u * low.reach),
        ),
        "press": both((zero, -0.42 * q_up), (zero, -0.42 * q_low)),
        "upperUp": both((zero, -_window(a, 3.2) * 0.075 * u * up.reach), (zero, zero)),
        "lowerDown": both((zero, zero), (zero, _window(a, 3.2) * 0.085 * u * low.reach)),
        "lowerIn": both(
            (zero, zero),
            (
                zero,
                -_window(a, 3.0) * 0.5 * np.maximum(q_low, 0)
                - _window(a, 2) * 0.045 * u * low.reach,
            ),
        ),
        "rollUpper": both(
            (
                zero,
                -_window(a, 3.0) * 0.5 * np.minimum(q_up, 0) + _window(a, 2) * 0.020 * u * up.reach,
            ),
            (zero, zero),
        ),
    }
    for side, sign in (("L", 1.0), ("R", -1.0)):
        fields |= _corner_shapes(m, up, low, side, sign)
        sway_up, sway_low = (0.10 * u * _lips(m, plane) * face for plane in (up, low))
        fields[f"mouth{side}"] = both((sign * sway_up, zero), (sign * sway_low, zero))
    puff = bell(a - 1.5, 0.6) * bell(up.t, 0.40 * u) * face
    fields["cheekPuff"] = same(np.sign(s) * 0.06 * u * puff, zero)
    fields["close"] = both((zero, close_upper), (zero, close_lower))
    if m.toothy:
        fields["close"] = _with_base(fields)
    return fields


def _with_base(fields: dict[str, Pair]) -> Pair:
    upper, lower = fields["close"]
    for name, weight in UNSMILE.items():
        upper = upper + weight * fields[name][0]
        lower = lower + weight * fields[name][1]
    return upper, lower


def _reach_upper(m: Measures, t: Array) -> Array:
    """1 at the upper lip's edge; 0 at the nose and, on the far side, on the chin."""
    above = 1 - smoothstep(0, 0.95 * m.nose_px, -t)
    return np.where(t > 0, 1 - smoothstep(0.35 * m.u, 0.75 * m.u, t), above)


def _reach_lower(m: Measures, t: Array) -> Array:
    """1 at the lower lip's edge; 0 at the chin and, on the far side, at the nose."""
    below = 1 - smoothstep(0, 0.85 * m.chin_px, t)
    return np.where(t < 0, 1 - smoothstep(0.25 * m.u, 0.60 * m.u, -t), below)


def _window(a: Array, power: float) -> Array:
    """1 at the middle of the slit, 0 from its corners on."""
    return np.asarray(np.clip(1 - a**power, 0, None))


def _narrow(m: Measures, plane: _Plane, band: Array) -> Array:
    """Pull the corners together; the pull ends at the jaw's edge, the nose and the chin."""
    edge = np.where(plane.s < 0, m.jaw_s[0], m.jaw_s[1])
    outward = 1 - np.clip((plane.a - 0.85) / (edge - 0.85), 0, 1)
    return -plane.s * m.mouth.half_width * outward * band


def _lip_band(m: Measures, t: Array) -> Array:
    above = 1 - smoothstep(0.05 * m.u, 0.95 * m.nose_px, -t)
    return np.where(t < 0, above, bell(t, 0.36 * m.u))


def _lower_band(m: Measures, plane: _Plane) -> Array:
    """The lower skin's band. Above the seam the upper skin covers it: a slower fall folds less."""
    band = _lip_band(m, plane.t)
    slow = _reach_lower(m, plane.t)
    beside = smoothstep(1.3, 1.9, plane.a)
    return np.where(plane.t < 0, slow + (band - slow) * beside, band)


def _lips(m: Measures, plane: _Plane) -> Array:
    """1 on the lips, fading into cheeks, nose and chin."""
    return (1 - smoothstep(1.0, 2.0, plane.a)) * _lip_band(m, plane.t)


def _thickness(m: Measures, plane: _Plane) -> Array:
    """Lip thickness: t itself on the lips, dying out behind them."""
    size = np.abs(plane.t)
    thick = np.where(plane.t < 0, m.upper_lip_px, m.lower_lip_px)
    beyond = thick * np.exp(-(((size - thick) / (1.2 * thick + 0.03 * m.u)) ** 2))
    grown = np.where(size < thick, plane.t, np.sign(plane.t) * beyond)
    return np.asarray(grown * (1 - smoothstep(1.0, 1.9, plane.a)))


def _jaw(m: Measures, plane: _Plane, *, lower: bool) -> Array:
    """Share of the jaw's travel that one of the skins takes, in [0, 1]."""
    c, a, t = CORNER_SHARE, plane.a, plane.t
    inside = c + (1 - c) * _window(a, 3.2) if lower else c * np.minimum(a, 1) ** 3.2
    lip = np.where(a <= 1, inside, c * (1 - smoothstep(1.0, 2.4, a)))
    body = CHIN_SHARE * (1 - smoothstep(1.5, 3.0, a))
    blend = smoothstep(0, 0.8 * m.chin_px, t)
    neck = 1 - smoothstep(0.90 * m.chin_px, m.chin_px + NECK_STOP_U * m.u, t)
    below = (lip * (1 - blend) + body * blend) * neck
    return np.where(t > 0, below, lip * bell(t, 0.38 * m.u))


def _aperture(a: Array) -> Array:
    """How far the jaw parts the lips at the seam, as a share of its travel."""
    c = CORNER_SHARE
    parted = c + (1 - c) * _window(a, 3.2) - c * np.minimum(a, 1) ** 3.2
    return np.asarray(np.where(a < 1, parted, 0.0))


def _corner_shapes(m: Measures, up: _Plane, low: _Plane, side: str, sign: float) -> dict[str, Pair]:
    """Smile and frown of one side; `sign` is 1 at image right, the subject's left."""
    u, hw, vector = m.u, m.mouth.half_width, m.mouth.vector
    smile, frown = [], []
    for plane in (up, low):
        from_corner = np.hypot((plane.s - sign) * hw, plane.t)
        # A smile pulls at the corner and leaves the middle; a frown hangs wider.
        corner, hanging = bell(from_corner, SMILE_REACH_U * u), bell(from_corner, 0.42 * u)
        lift = _curl(sign * plane.s, hw / u) * bell(plane.t, SMILE_REACH_U * u)
        # The seam's coordinates are shared by both skins on the cheek.
        cheek = bell(np.hypot((plane.s - sign * 1.55) * hw, plane.t + 0.60 * u), 0.36 * u)
        smile.append(vector(sign * 0.10 * u * corner, -0.21 * u * lift - 0.065 * u * cheek))
        frown.append(vector(np.zeros_like(hanging), 0.09 * u * hanging))
    return {f"smile{side}": (smile[0], smile[1]), f"frown{side}": (frown[0], frown[1])}


def _curl(q: Array, half_width_u: float) -> Array:
    """How far a smile lifts what lies along the mouth, of the corner's way.

    Args:
        q: 1 at the corner that is pulled, -1 at the other one.
        half_width_u: Half the mouth's width, of the eyes' distance.
    """
    within = np.clip((1 + q) / 2, 0, 1) ** CURL
    beyond = np.maximum(q - 1, 0) * half_width_u
    # The slope goes on past the corner for a little, or the lips would end in a tip.
    on = 1 + CURL / (2 * half_width_u) * beyond * bell(beyond, SOFT_CORNER_U)
    return np.asarray(within * on * bell(beyond, SMILE_REACH_U))
