"""What is behind the lips: cavity, tongue and two modest rows of teeth, lit like the person.

Drawn in millimetres of an average face around the middle of the seam, `x` along the mouth, `y`
downwards; everything sits at rest, the renderer moves lower teeth and tongue with the jaw.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from avatar_worker.avatars.avatar import Layer

from .fill import Floats, to_bytes
from .measures import Measures
from .mouth_shapes import JAW_U
from .slit import Array, smoothstep

UPPER_TEETH: Final = ((8.4, 9.8), (6.6, 9.0), (7.4, 9.6), (6.9, 8.4), (6.8, 7.8), (8.5, 7.2))
LOWER_TEETH: Final = ((5.3, 8.2), (5.8, 8.4), (6.7, 8.8), (6.9, 8.0), (6.8, 7.6), (9.0, 7.0))
"""Width and height in mm from the middle outwards."""

UPPER_ARCH_MM, LOWER_ARCH_MM = 26.0, 23.0
UPPER_EDGE_MM: Final = 1.2
LOWER_EDGE_MM: Final = 0.3
"""Below the seam: where the upper row ends and the lower one begins."""

ENAMEL: Final = (222.0, 210.0, 194.0)
GUM: Final = (138.0, 70.0, 68.0)
CAVITY: Final = (62.0, 21.0, 19.0)
TONGUE: Final = (172.0, 84.0, 80.0)
SUPERSAMPLING: Final = 4


def mouth_layers(rgb: npt.NDArray[np.uint8], m: Measures) -> list[Layer]:
    """Return `cavity`, `tongue`, `teeth_lower` and `teeth_upper`.

    Args:
        rgb: The portrait on its canvas, for its light. uint8, (H, W, 3).
        m: The face.
    """
    light = _light(rgb, m)
    half_width = 1.25 * m.mouth.half_width / m.mm
    cavity = _Sheet(m, (-half_width - 4, half_width + 4), (-16.0, 44.0))
    upper = _Sheet(m, (-28.0, 28.0), (UPPER_EDGE_MM - 15.0, UPPER_EDGE_MM + 3.0))
    lower = _Sheet(m, (-26.0, 26.0), (LOWER_EDGE_MM - 3.0, LOWER_EDGE_MM + 17.0))
    tongue = _Sheet(m, (-21.0, 21.0), (LOWER_EDGE_MM - 7.0, LOWER_EDGE_MM + 27.0))
    return [
        cavity.layer("cavity", _cavity(cavity, m) * light),
        tongue.layer("tongue", *_tongue(tongue, light)),
        lower.layer("teeth_lower", *_row(lower, LOWER_TEETH, LOWER_ARCH_MM, LOWER_EDGE_MM, 1, light)),
        upper.layer("teeth_upper", *_row(upper, UPPER_TEETH, UPPER_ARCH_MM, UPPER_EDGE_MM, -1, light)),
    ]  # fmt: skip


def interior_numbers(m: Measures) -> dict[str, object]:
    """How the renderer moves what is behind the lips and lids, canvas pixels at weight 1."""
    jaw = JAW_U * m.u
    return {
        "mouth_down": [float(m.mouth.down[0]), float(m.mouth.down[1])],
        "jaw_px": 0.90 * jaw,
        "tongue_jaw_px": 0.60 * jaw,
        "tongue_up_px": 9.0 * m.mm,
        "gaze_px": 0.16 * m.u,
    }


class _Sheet:
    """A box of the canvas with its millimetres, supersampled."""

    def __init__(self, m: Measures, x: tuple[float, float], y: tuple[float, float]) -> None:
        base = m.mouth.centre + m.mouth.down * float(m.seam(np.zeros(1))[0])
        corners = np.array([
            base + (i * m.mouth.along + j * m.mouth.down) * m.mm for i in x for j in y
        ])  # fmt: skip
        low, high = np.floor(corners.min(0)).astype(int), np.ceil(corners.max(0)).astype(int)
        self.origin = (int(low[0]), int(low[1]))
        self.size = (int(high[0] - low[0]), int(high[1] - low[1]))
        columns, rows = (n * SUPERSAMPLING for n in self.size)
        j, i = np.mgrid[0:rows, 0:columns]
        offset = np.stack([i + 0.5, j + 0.5], -1) / SUPERSAMPLING - 0.5 + low - base
        self.x: Array = offset @ m.mouth.along / m.mm
        self.y: Array = offset @ m.mouth.down / m.mm

    def layer(self, role: str, colour: Array, alpha: Array | None = None) -> Layer:
        """Scale down to the canvas; straight alpha."""
        if alpha is None:
            return Layer(role, self.origin, to_bytes(self._small(colour)))
        soft = self._small(alpha)
        premultiplied = self._small(colour * alpha[..., None])
        plain = self._small(colour)
        straight = np.where(
            soft[..., None] > 0.02, premultiplied / np.maximum(soft, 0.02)[..., None], plain
        )
        return Layer(role, self.origin, np.dstack([to_bytes(straight), to_bytes(soft * 255)]))

    def _small(self, picture: Array) -> Floats:
        smooth = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 0.5 * SUPERSAMPLING)
        return np.asarray(cv2.resize(smooth, self.size, interpolation=cv2.INTER_AREA), np.float32)


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
    gain = float(np.clip(colour @ [0.299, 0.587, 0.114] / 165, 0.55, 1.02))
    tint = np.clip(colour / colour.mean(), 0.8, 1.25) * 0.25 + 0.75
    return np.asarray(gain * tint)


def _cavity(sheet: _Sheet, m: Measures) -> Array:
    """Dark, darker upwards and to the corners."""
    upwards = 1 - 0.6 / (1 + np.exp(-(6 - sheet.y) / 4))
    side = (sheet.x * m.mm / (1.05 * m.mouth.half_width)) ** 2
    shade = upwards * (1 - 0.5 * np.minimum(1, side))
    return np.asarray(shade[..., None] * np.array(CAVITY))


def _tongue(sheet: _Sheet, light: Array) -> tuple[Array, Array]:
    """A dome with a shallow groove, soft at its rim."""
    centre = LOWER_EDGE_MM + 9.5
    e = (np.abs(sheet.x) / 17) ** 2.4 + (np.abs(sheet.y - centre) / 12) ** 2.4
    alpha = smoothstep(1.08, 0.88, e)
    dome = np.clip(1 - e, 0, 1) ** 0.6
    groove = np.exp(-((sheet.x / 1.4) ** 2)) * smoothstep(-10.0, 2.0, sheet.y - centre)
    shine = np.exp(-(((sheet.x - 4) / 5) ** 2) - (((sheet.y - centre + 7) / 2.2) ** 2))
    shade = 0.42 + 0.42 * dome - 0.10 * groove
    colour = shade[..., None] * np.array(TONGUE) * light + (10 * shine)[..., None]
    return np.asarray(colour), alpha


def _row(
    sheet: _Sheet,
    teeth: tuple[tuple[float, float], ...],
    arch: float,
    edge: float,
    way: int,
    light: Array,
) -> tuple[Array, Array]:
    """One row of teeth with its gum; `way` is -1 where the roots point upwards."""
    x = np.abs(sheet.x)
    # From the biting edge towards the root, following the arch's slight curve.
    root = way * (sheet.y - edge) - 0.0022 * x**2 * (1.0 if way < 0 else 0.6)
    colour = np.zeros((*x.shape, 3))
    alpha = np.zeros(x.shape)
    travelled = 0.0
    for index, (width, height) in enumerate(teeth):
        first, last = travelled / arch, min((travelled + width) / arch, 1.5)
        travelled += width
        left, right = arch * np.sin(first), arch * np.sin(last)
        facing = float(np.cos((first + last) / 2))
        half = max((right - left) / 2, 0.3)
        across = (x - (left + right) / 2) / half
        length = height * (0.8 + 0.2 * facing)
        short = 0.5 if index == 1 and way < 0 else 0.25 * index * (way < 0)
        bite = root - short
        # A rounded rectangle: crowns round off at the biting edge, gums arch over the neck.
        corner = 0.35 * np.abs(across) ** 4
        neck = length - 0.9 * np.abs(across) ** 2
        tooth = smoothstep(0.0, 0.30, bite - corner) * smoothstep(1.0, 0.90, np.abs(across))
        body = smoothstep(neck + 0.35, neck - 0.35, bite)
        depth = facing**1.5
        crown = 0.80 + 0.20 * smoothstep(5.0, 0.5, bite)
        rim = 1 - 0.14 * np.abs(across) ** 4 - 0.06 * smoothstep(1.2, 0.0, bite)
        enamel = (0.34 + 0.66 * depth) * crown * rim
        own = np.abs(across) <= 1.0
        tone = np.array(ENAMEL) * np.array([1.0, 1.0 - 0.012 * index, 1.0 - 0.035 * index])
        gum = np.array(GUM) * (0.40 + 0.60 * depth) * 0.92
        gap = 0.62 * np.array(ENAMEL) * enamel[..., None] * np.array([1.0, 0.90, 0.84])
        shown = tooth[..., None] * enamel[..., None] * tone + (1 - tooth)[..., None] * gap
        shown = shown * body[..., None] + gum * (1 - body)[..., None]
        colour[own] = shown[own]
        covers = smoothstep(0.0, 0.35, bite - corner) * (bite < length + 6)
        alpha[own] = covers[own]
    end = arch * np.sin(min(travelled / arch, 1.5))
    alpha = alpha * smoothstep(end, end - 3.0, x)
    # The upper lip's shade falls on the upper row; the lower row lies deeper.
    shade = (
        0.45 + 0.55 * smoothstep(-4.0, 1.2, sheet.y)
        if way < 0
        else 0.74 - 0.20 * smoothstep(3.0, 12.0, sheet.y - edge)
    )
    return np.asarray(colour * light * np.asarray(shade)[..., None]), alpha
