"""How compiled loops look values up between pixels and lay them over each other; inlined into each.

Eight values at a time (`lanes`); `mix` is for one packed colour, little-endian RGBA in 32 bits.
"""

from __future__ import annotations

from typing import Any

from avatar_worker.compiling import folded, inlined


@folded
def bilinear(tap: Any, fx: Any, fy: Any) -> Any:
    """Values between four that are packed as `textures.taps_of` does: along x, both rows, then y.

    Args:
        tap: Lanes.
        fx: Weights of the right ones in 1/256. Lanes.
        fy: Weights of the lower ones. Lanes.
    """
    both = (tap & 0xFF00FF) * (256 - fx) + ((tap >> 8) & 0xFF00FF) * fx
    return ((both & 0xFFFF) * (256 - fy) + ((both >> 16) & 0xFFFF) * fy + 32768) >> 16


@folded
def two_bilinear(tap: Any, below: Any, fx: Any, fy: Any) -> tuple[Any, Any]:
    """As `bilinear`, of two channels at once; `tap` holds both, here and right, `below` a row below."""
    gx, gy = 256 - fx, 256 - fy
    top = (tap & 0xFF00FF) * gx + ((tap >> 8) & 0xFF00FF) * fx
    bottom = (below & 0xFF00FF) * gx + ((below >> 8) & 0xFF00FF) * fx
    low = (top & 0xFFFF) * gy + (bottom & 0xFFFF) * fy + 32768
    high = ((top >> 16) & 0xFFFF) * gy + ((bottom >> 16) & 0xFFFF) * fy + 32768
    return low >> 16, high >> 16


@folded
def laid_over(back: Any, front: Any, share: Any) -> Any:
    """Bytes over others; share 0 to 255. Rounded to nearest."""
    total = front * share + back * (255 - share) + 128
    return (total + (total >> 8)) >> 8


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
