"""How compiled loops look colours up and mix them; inlined into each.

Texture coordinates are 16.16 fixed point, colours packed little-endian RGBA in 32 bits. A texture
of w x h pixels is stored flat with its last column and row repeated, so its stride is w + 1.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from .compiling import Array, inlined

_ONE: Final = np.uintp(1)
"""Unsigned indices spare the compiler's check for negative ones."""


@inlined
def sample(texture: Array, base: int, w: int, h: int, u: Any, v: Any) -> Any:
    """Bilinear colour at (u, v); beyond the edge the outermost pixel goes on.

    Weights are 1/256; red and blue, green and alpha travel two to a word.
    """
    u = min(max(u + 128, 0), (w - 1) << 16)
    v = min(max(v + 128, 0), (h - 1) << 16)
    fx = (u >> 8) & 255
    fy = (v >> 8) & 255
    at = np.uintp(base + (v >> 16) * (w + 1) + (u >> 16))
    next_row = at + np.uintp(w + 1)
    both = (fx * fy + 128) >> 8
    right = fx - both
    below = fy - both
    here = 256 - fx - fy + both
    a = np.int64(texture[at])
    b = np.int64(texture[at + _ONE])
    c = np.int64(texture[next_row])
    d = np.int64(texture[next_row + _ONE])
    even = (
        (a & 0xFF00FF) * here
        + (b & 0xFF00FF) * right
        + (c & 0xFF00FF) * below
        + (d & 0xFF00FF) * both
        + 0x800080
    )
    odd = (
        ((a >> 8) & 0xFF00FF) * here
        + ((b >> 8) & 0xFF00FF) * right
        + ((c >> 8) & 0xFF00FF) * below
        + ((d >> 8) & 0xFF00FF) * both
        + 0x800080
    )
    return ((even >> 8) & 0xFF00FF) | (odd & 0xFF00FF00)


@inlined
def sample_mask(texture: Array, w: int, h: int, u: Any, v: Any) -> Any:
    """Bilinear value of a one-channel texture, as `sample`."""
    u = min(max(u + 128, 0), (w - 1) << 16)
    v = min(max(v + 128, 0), (h - 1) << 16)
    fx = (u >> 8) & 255
    fy = (v >> 8) & 255
    at = (v >> 16) * (w + 1) + (u >> 16)
    top = texture[at] * (256 - fx) + texture[at + 1] * fx
    bottom = texture[at + w + 1] * (256 - fx) + texture[at + w + 2] * fx
    return (top * (256 - fy) + bottom * fy + 32768) >> 16


@inlined
def mix(back: Any, front: Any, alpha: Any) -> Any:
    """Lay a packed colour over another; alpha 0..255. Rounded to nearest; clears the top byte."""
    rest = 255 - alpha
    even = (front & 0xFF00FF) * alpha + (back & 0xFF00FF) * rest + 0x800080
    odd = ((front >> 8) & 0xFF) * alpha + ((back >> 8) & 0xFF) * rest + 0x80
    # x / 255 is (x + x / 256) / 256 to the nearest for all products of two bytes.
    even = ((even + ((even >> 8) & 0xFF00FF)) >> 8) & 0xFF00FF
    odd = (odd + (odd >> 8)) & 0xFF00
    return even | odd
