"""RGB to I420 in 16-bit fixed point: coefficients, and the conversion, compiled and in NumPy.

Chroma is the mean of 2 x 2 pixels. Sources: ITU-R BT.601-7 §2.5, BT.709-6 §3.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from avatar_worker.compiling import Array, compiled, inlined

Pixels = npt.NDArray[np.uint8]

FRACTION_BITS: Final = 16

_LUMA: Final = {"bt601": (0.299, 0.587, 0.114), "bt709": (0.2126, 0.7152, 0.0722)}


def coefficients(matrix: str, value_range: str) -> npt.NDArray[np.int32]:
    """Return rows Y, U, V of (red, green, blue, offset), times 2**16. int32, (3, 4).

    The offset contains the half that rounds to nearest. Grey has exactly neutral chroma.

    Args:
        matrix: `bt601` or `bt709`.
        value_range: `limited` (Y 16..235, chroma 16..240) or `full`.

    Raises:
        ValueError: If either is unknown.
    """
    if matrix not in _LUMA or value_range not in ("limited", "full"):
        raise ValueError(f"no conversion to {matrix!r} with {value_range!r} range")
    red, green, blue = _LUMA[matrix]
    limited = value_range == "limited"
    luma, chroma, black = (219 / 255, 224 / 255, 16) if limited else (1.0, 1.0, 0)
    one = 1 << FRACTION_BITS
    rows = np.array(
        [
            (luma * red, luma * green, luma * blue),
            np.array((-red, -green, 1 - blue)) * chroma / (2 * (1 - blue)),
            np.array((1 - red, -green, -blue)) * chroma / (2 * (1 - red)),
        ]
    )
    fixed = np.rint(rows * one).astype(np.int64)
    # Green takes what rounding left over, so white is exactly white and grey exactly grey.
    fixed[:, 1] += np.rint(rows.sum(1) * one).astype(np.int64) - fixed.sum(1)
    offset = np.array([black, 128, 128]) * one + one // 2
    return np.concatenate([fixed, offset[:, None]], axis=1).astype(np.int32)


def rgb_to_i420(rgb: Pixels, rows: npt.NDArray[np.int32]) -> Pixels:
    """Convert a picture: the Y plane, then U, then V.

    Args:
        rgb: uint8, (height, width, 3), both even.
        rows: From `coefficients`.

    Returns:
        uint8, (height * width * 3 // 2,).
    """
    height, width = rgb.shape[:2]
    wide = rgb.astype(np.int64)
    table = rows.astype(np.int64)
    y = (wide @ table[0, :3] + table[0, 3]) >> FRACTION_BITS
    sums = wide.reshape(height // 2, 2, width // 2, 2, 3).sum(axis=(1, 3))
    chroma = [(sums @ table[i, :3] + 4 * table[i, 3]) >> (FRACTION_BITS + 2) for i in (1, 2)]
    planes = [np.clip(plane, 0, 255).astype(np.uint8).ravel() for plane in (y, *chroma)]
    return np.concatenate(planes)


@inlined
def luma_of(pixel: Any, table: Array) -> Any:
    """Y of a packed colour."""
    value = (pixel & 255) * table[0, 0] + ((pixel >> 8) & 255) * table[0, 1]
    return (value + ((pixel >> 16) & 255) * table[0, 2] + table[0, 3]) >> 16


@compiled
def pack_i420(canvas: Array, table: Array, out: Array) -> None:
    """Convert a packed picture to I420, bit for bit as `rgb_to_i420`.

    Args:
        canvas: uint32, (H, W), both even.
        table: From `coefficients`. int32, (3, 4).
        out: uint8, (H * W * 3 // 2,).
    """
    h, w = canvas.shape
    yr, yg, yb, yo = table[0, 0], table[0, 1], table[0, 2], table[0, 3]
    luma = out[: h * w].reshape(h, w)
    for y in range(h):
        for x in range(w):
            p = np.int32(canvas[y, x])
            value = (p & 255) * yr + ((p >> 8) & 255) * yg + ((p >> 16) & 255) * yb + yo
            luma[y, x] = value >> 16
    for i in range(1, 3):
        cr, cg, cb, co = table[i, 0], table[i, 1], table[i, 2], table[i, 3]
        start = h * w + (i - 1) * (h * w // 4)
        plane = out[start : start + h * w // 4].reshape(h // 2, w // 2)
        for y in range(h // 2):
            for x in range(w // 2):
                a, b = np.int32(canvas[2 * y, 2 * x]), np.int32(canvas[2 * y, 2 * x + 1])
                c, d = np.int32(canvas[2 * y + 1, 2 * x]), np.int32(canvas[2 * y + 1, 2 * x + 1])
                red = (a & 255) + (b & 255) + (c & 255) + (d & 255)
                green = ((a >> 8) & 255) + ((b >> 8) & 255) + ((c >> 8) & 255) + ((d >> 8) & 255)
                blue = ((a >> 16) & 255) + ((b >> 16) & 255) + ((c >> 16) & 255) + ((d >> 16) & 255)
                plane[y, x] = min((red * cr + green * cg + blue * cb + 4 * co) >> 18, 255)
