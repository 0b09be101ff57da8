"""What lies behind the person: the photo's own background, blurred, one colour, another picture."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from avatar_worker.avatars.avatar import Layer
from avatar_worker.errors import ConfigError

Bytes = npt.NDArray[np.uint8]

BLUR_U: Final = 0.18
"""Spread of the blur, in inter-ocular distances: what a portrait lens does."""

_COLOUR: Final = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True, slots=True)
class Background:
    """How the plate is made.

    Attributes:
        kind: `keep`, `blur`, `colour` or `image`.
        colour: sRGB, 0..255, for `colour`.
        image: For `image`; it is scaled to cover the canvas. uint8, (h, w, 3).
    """

    kind: str = "keep"
    colour: tuple[int, int, int] = (0, 0, 0)
    image: Bytes | None = None


def parse_background(text: str) -> Background | None:
    """Return what `keep`, `blur` or `#rrggbb` mean; `None` for anything else, such as a path.

    Raises:
        ConfigError: If it looks like a colour and is none.
    """
    if text in ("keep", "blur"):
        return Background(text)
    if not text.startswith("#"):
        return None
    if not _COLOUR.fullmatch(text):
        raise ConfigError(f"{text} is no colour; write it as #rrggbb, e.g. #1f3a5f")
    red, green, blue = (int(text[i : i + 2], 16) for i in (1, 3, 5))
    return Background("colour", (red, green, blue))


def with_background(plate: Layer, background: Background, u: float) -> Layer:
    """Return the plate as wanted.

    Args:
        plate: The photo without the person, the whole canvas.
        background: What is wanted.
        u: Inter-ocular distance, canvas pixels.
    """
    pixels = plate.pixels[..., :3]
    height, width = pixels.shape[:2]
    if background.kind == "blur":
        pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), BLUR_U * u), np.uint8)
    elif background.kind == "colour":
        pixels = np.full_like(pixels, background.colour)
    elif background.kind == "image" and background.image is not None:
        pixels = _covering(background.image, width, height)
    return Layer(plate.role, plate.origin, np.ascontiguousarray(pixels))


def _covering(image: Bytes, width: int, height: int) -> Bytes:
    """Scale and cut so that the canvas is filled and nothing is squeezed."""
    high, wide = image.shape[:2]
    scale = max(width / wide, height / high)
    size = (max(width, round(wide * scale)), max(height, round(high * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled = np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return scaled[top : top + height, left : left + width]
