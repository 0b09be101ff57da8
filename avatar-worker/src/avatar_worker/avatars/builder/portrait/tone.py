"""Photos without colours of their own: grey ones and toned ones, where hue depends on light alone.

What is painted in addition, such as a tongue, would be the only red thing in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from avatar_worker.avatars.avatar import Layer

from .measures import Measures
from .own_teeth import LUMA
from .slit import Array, smoothstep

TONED, COLOURED = 0.7, 1.6
"""How much hue varies beside light, in levels of a face of middle grey. Grey and sepia photos have .0
to .4, coloured ones 1.8 to 12.9."""

MIDDLE: Final = 128.0

DEGREE: Final = 2
LEAST_LEVELS: Final = 8.0


@dataclass(frozen=True, slots=True)
class Tone:
    """How a photo without colours shows light.

    Attributes:
        share: 1 if it has no colours of its own, 0 if it has, between if it is nearly grey.
        curve: Polynomials from luma / 255 to the offset of R, G and B from it, highest power
            first. (DEGREE + 1, 3).
    """

    share: float
    curve: Array

    def over(self, layer: Layer) -> Layer:
        """Return a layer as the photo would show it; masks stay as they are."""
        if self.share == 0 or layer.pixels.shape[-1] < 3:
            return layer
        return Layer(layer.role, layer.origin, self.shown(layer.pixels))

    def shown(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return painted colours as the photo would show them. uint8, (h, w, 3 or 4)."""
        if self.share == 0:
            return pixels
        rgb = pixels[..., :3].astype(np.float64)
        luma = rgb @ LUMA
        powers = np.stack([(luma / 255) ** n for n in range(DEGREE, -1, -1)], -1)
        toned = luma[..., None] + powers @ self.curve
        mixed = np.clip(np.rint(rgb + self.share * (toned - rgb)), 0, 255).astype(np.uint8)
        return np.concatenate([mixed, pixels[..., 3:]], axis=-1)


def photo_tone(rgb: npt.NDArray[np.uint8], m: Measures) -> Tone:
    """Tell from the face whether the photo has colours.

    Args:
        rgb: The portrait on its canvas. uint8, (H, W, 3).
        m: The face.
    """
    drawn = np.zeros(rgb.shape[:2], np.uint8)
    hull = cv2.convexHull(np.rint(m.points[:468, :2]).astype(np.int32))
    cv2.fillConvexPoly(drawn, hull, 1)
    # Coding makes grains of colour; lips, cheeks and eyes are larger than those.
    soft = cv2.GaussianBlur(rgb, (0, 0), 0.03 * m.u)
    face = soft[drawn > 0].astype(np.float64)
    luma = face @ LUMA
    if np.ptp(luma) < LEAST_LEVELS:
        return Tone(0.0, np.zeros((DEGREE + 1, 3)))
    powers = np.stack([(luma / 255) ** n for n in range(DEGREE, -1, -1)], -1)
    offset = face - luma[:, None]
    curve, *_ = np.linalg.lstsq(powers, offset, rcond=None)
    left = np.sqrt(((offset - powers @ curve) ** 2).mean()) * MIDDLE / max(1.0, luma.mean())
    return Tone(float(smoothstep(COLOURED, TONED, np.asarray(left))), np.asarray(curve))
