"""What is behind the lips: cavity, tongue and two modest rows of teeth, lit like the person.

Drawn in millimetres of an average face around the middle of the seam, `x` along the mouth, `y`
downwards; everything sits at rest, the renderer moves lower teeth and tongue with the jaw.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from avatar_worker.avatars.avatar import Layer

from .dentition import Row, dentition
from .fill import to_bytes
from .measures import Measures
from .mouth_shapes import JAW_U
from .own_teeth import LUMA, own_teeth, reddened, skin_luma
from .sheet import Sheet
from .slit import Array, smoothstep

UPPER_EDGE_MM: Final = 1.2
LOWER_EDGE_MM: Final = 0.3
"""Below the seam: where the upper row ends and the lower one begins."""

GUM: Final = (138.0, 70.0, 68.0)
CAVITY: Final = (92.0, 37.0, 35.0)
CHEEK: Final = (112.0, 55.0, 50.0)
"""The lining of the cheek: it comes near the lips' corners, where light still falls in."""

CHEEK_FROM: Final = (0.50, 1.0)
"""Of half the mouth's width: where the lining begins to show before the throat, and does fully."""

TONGUE: Final = (172.0, 84.0, 80.0)

OF_SKIN: Final = 0.40
"""How far the light's hue is taken from the skin, which has a hue of its own."""

NARROW_U: Final = 0.36
NARROWEST: Final = 0.80
"""A mouth of less than the first half width lets less light in: in proportion, down to the second."""

ARC: Final = 0.0019
"""How much higher a row's edge is at its sides than in the middle, 1/mm."""

TIPS: Final = ((0.35, 4.0), (0.55, 3.2), (0.85, 1.9), (0.70, 2.0))
"""How far a crown's edge recedes at its sides, mm, and by which power; from the middle outwards."""

GAP: Final = 0.50
"""Light between two crowns at their edges, of the enamel's."""

CORNERS: Final = (0.45, 1.10)
AT_CORNERS: Final = 0.34
"""Of half the mouth's width: where lips begin to shade teeth and do so fully, and what they take."""

BRIGHTEST_ENAMEL: Final = 1.15
"""Of the skin, before the mouth's own shade."""


def mouth_layers(rgb: npt.NDArray[np.uint8], m: Measures) -> list[Layer]:
    """Return `cavity`, `tongue`, `teeth_lower` and `teeth_upper`.

    Args:
        rgb: The portrait on its canvas, for its light. uint8, (H, W, 3).
        m: The face.
    """
    falls_in = _falls_in(m)
    light = _light(rgb, m) * falls_in
    own, rows = own_teeth(rgb, m), dentition(m)
    chosen = _held(np.array(rows.enamel) * light, rgb, m)
    enamel = chosen if own is None else own.enamel * falls_in
    half_width = 1.25 * m.mouth.half_width / m.mm
    cavity = Sheet(m, (-half_width - 4, half_width + 4), (-16.0, 44.0))
    upper = Sheet(m, (-28.0, 28.0), (UPPER_EDGE_MM - 15.0, UPPER_EDGE_MM + 3.0))
    lower = Sheet(m, (-26.0, 26.0), (LOWER_EDGE_MM - 3.0, LOWER_EDGE_MM + 17.0))
    tongue = Sheet(m, (-21.0, 21.0), (LOWER_EDGE_MM - 7.0, LOWER_EDGE_MM + 27.0))
    layers = [
        cavity.layer("cavity", _cavity(cavity) * light),
        tongue.layer("tongue", *_tongue(tongue, light)),
        lower.layer("teeth_lower", *_row(lower, rows.lower, LOWER_EDGE_MM, 1, light, enamel)),
    ]
    if own is not None:
        pixels = np.dstack([to_bytes(own.colour * falls_in), to_bytes(own.alpha * 255)])
        layers.append(Layer("teeth_upper", own.origin, pixels))
    else:
        row = _row(upper, rows.upper, UPPER_EDGE_MM, -1, light, enamel)
        layers.append(upper.layer("teeth_upper", *row))
    return layers


def interior_numbers(m: Measures) -> dict[str, object]:
    """How the renderer moves what is behind the lips and lids, canvas pixels at weight 1."""
    jaw = JAW_U * m.u
    return {
        "mouth_down": [float(m.mouth.down[0]), float(m.mouth.down[1])],
        "jaw_px": 0.80 * jaw,
        "tongue_jaw_px": 0.60 * jaw,
        "tongue_up_px": 9.0 * m.mm,
        "gaze_px": 0.16 * m.u,
    }


def _light(rgb: npt.NDArray[np.uint8], m: Measures) -> Array:
    """Colour of the light on the person, from nose and cheeks; 1 in an ordinary photo. (3,)."""
    centre = m.points[[5, 50, 280], :2]
    height, width = rgb.shape[:2]
    reach = 0.08 * m.u
    samples = []
    for x, y in centre:
        rows = slice(max(0, int(y - reach)), min(height, int(y + reach) + 1))
        columns = slice(max(0, int(x - reach)), min(width, int(x + reach) + 1))
        samples.append(np.median(rgb[rows, columns].reshape(-1, 3), axis=0))
    colour = np.mean(samples, axis=0)
    gain = float(np.clip(colour @ [0.299, 0.587, 0.114] / 165, 0.40, 1.02))
    tint = np.clip(colour / colour.mean(), 0.7, 1.35) * OF_SKIN + 1 - OF_SKIN
    return np.asarray(gain * tint)


def _falls_in(m: Measures) -> float:
    """The share of the light that a mouth so wide lets in."""
    return float(np.clip(m.mouth.half_width / (NARROW_U * m.u), NARROWEST, 1.0))


def _held(enamel: Array, rgb: npt.NDArray[np.uint8], m: Measures) -> Array:
    """Enamel no brighter than the person's skin makes believable."""
    most = BRIGHTEST_ENAMEL * skin_luma(rgb, m)
    return np.asarray(enamel * min(1.0, most / float(enamel @ LUMA)))


def _cavity(sheet: Sheet) -> Array:
    """The throat, dark and darker upwards, and beside it the cheeks, dim flesh."""
    upwards = 1 - 0.6 / (1 + np.exp(-(6 - sheet.y) / 4))
    aside = sheet.aside
    throat = (upwards * (1 - 0.35 * np.minimum(1, aside**2)))[..., None] * np.array(CAVITY)
    near = smoothstep(*CHEEK_FROM, aside)[..., None]
    flesh = (0.62 + 0.14 * near) * np.array(CHEEK)
    return np.asarray(throat * (1 - near) + flesh * near)


def _tongue(sheet: Sheet, light: Array) -> tuple[Array, Array]:
    """A dome with a shallow groove, soft at its rim."""
    centre = LOWER_EDGE_MM + 9.5
    e = (np.abs(sheet.x) / 17) ** 2.4 + (np.abs(sheet.y - centre) / 12) ** 2.4
    alpha = smoothstep(1.08, 0.88, e)
    dome = np.clip(1 - e, 0, 1) ** 0.6
    groove = np.exp(-((sheet.x / 1.4) ** 2)) * smoothstep(-10.0, 2.0, sheet.y - centre)
    shine = np.exp(-(((sheet.x - 4) / 5) ** 2) - (((sheet.y - centre + 7) / 2.2) ** 2))
    shade = 0.45 + 0.38 * dome - 0.10 * groove
    colour = shade[..., None] * np.array(TONGUE) * light + (10 * shine)[..., None]
    return np.asarray(colour), alpha


def _row(
    sheet: Sheet, row: Row, edge: float, way: int, light: Array, enamel: Array
) -> tuple[Array, Array]:
    """One row of teeth with its gum; `way` is -1 where the roots point upwards."""
    # From the biting edge towards the root, following the arch's slight curve.
    root = way * (sheet.y - edge) - ARC * sheet.x**2
    colour, alpha = np.zeros((*sheet.x.shape, 3)), np.zeros(sheet.x.shape)
    for half, teeth, shades in zip((-1.0, 1.0), row.teeth, row.shades, strict=True):
        x = half * sheet.x
        mine = x >= 0 if half > 0 else x > 0
        travelled = 0.0
        for index, (size, light_share) in enumerate(zip(teeth, shades, strict=True)):
            first = travelled / row.arch_mm
            last = min((travelled + size[0]) / row.arch_mm, 1.5)
            travelled += size[0]
            left, right = row.arch_mm * np.sin(first), row.arch_mm * np.sin(last)
            facing = float(np.cos((first + last) / 2))
            across = (x - (left + right) / 2) / max((right - left) / 2, 0.3)
            # Side teeth stand hardly higher than the front ones: in a wide mouth they go on.
            short = 0.5 if index == 1 and way < 0 else 0.12 * index * (way < 0)
            own = mine & (np.abs(across) <= 1.0)
            colour[own], alpha[own] = _tooth(
                across[own], root[own] - short, size[1], facing, index, light, light_share * enamel
            )
        end = row.arch_mm * np.sin(min(travelled / row.arch_mm, 1.5))
        alpha[mine] *= smoothstep(end + 0.5, end - 2.0, x[mine])
    # The upper lip's shade falls on the upper row; the lower row lies deeper.
    shade = (
        0.54 + 0.46 * smoothstep(-4.0, 1.2, sheet.y)
        if way < 0
        else 0.74 - 0.26 * smoothstep(2.0, 9.0, sheet.y - edge)
    )
    shade = shade * (1 - AT_CORNERS * smoothstep(*CORNERS, sheet.aside))
    return np.asarray(colour * reddened(np.asarray(shade))), alpha


def _tooth(
    across: Array,
    bite: Array,
    height: float,
    facing: float,
    index: int,
    light: Array,
    enamel: Array,
) -> tuple[Array, Array]:
    """Colour (n, 3) and alpha (n,) of one tooth and its gum.

    Args:
        across: -1 and 1 at the tooth's sides. (n,).
        bite: Millimetres from the biting edge towards the root. (n,).
        height: Of the crown in mm.
        facing: 1 where the tooth looks at the camera, 0 where it is seen from its side.
        index: 0 for the front tooth, growing outwards.
        light: The light's colour. (3,).
        enamel: The lit enamel's colour. (3,).
    """
    # A rounded rectangle: crowns round off at the biting edge, gums arch over the neck.
    # The farther out, the more pointed: canines end in a cusp.
    depth_mm, power = TIPS[min(index, len(TIPS) - 1)]
    corner = depth_mm * np.abs(across) ** power
    neck = height * (0.8 + 0.2 * facing) - 0.9 * np.abs(across) ** 2
    tooth = smoothstep(0.0, 0.30, bite - corner) * smoothstep(1.0, 0.90, np.abs(across))
    body = smoothstep(0.35, -0.35, bite - neck)[..., None]
    depth = facing**1.5
    crown = 0.80 + 0.20 * smoothstep(5.0, 0.5, bite)
    rim = 1 - 0.14 * np.abs(across) ** 4 - 0.06 * smoothstep(1.2, 0.0, bite)
    bright = reddened(np.asarray((0.34 + 0.66 * depth) * crown * rim))
    tone = enamel * np.array([1.0, 1.0 - 0.012 * index, 1.0 - 0.035 * index])
    # Dark where two edges round off, hardly seen where the crowns touch.
    between = (GAP + (1 - GAP) * 0.42 * smoothstep(0.3, 4.5, bite))[..., None]
    gap = between * enamel * bright * np.array([1.0, 0.90, 0.84])
    shown = tooth[..., None] * bright * tone + (1 - tooth)[..., None] * gap
    gum = np.array(GUM) * light * (0.40 + 0.60 * depth) * 0.92
    covers = smoothstep(0.0, 0.35, bite - corner) * (bite < height + 6)
    return np.asarray(shown * body + gum * (1 - body)), np.asarray(covers)
