"""Where a pixel comes from, and what colour a texture has there; `reference.sample` for one place."""

from __future__ import annotations

from typing import Any

import numpy as np

from .fields import (
    CORNERS,
    DRIVE,
    FLOATS,
    HEIGHT,
    INTS,
    LID_COUNT,
    LIDS,
    MASKS,
    PLACED,
    POSE,
    REST,
    SKIN,
    WIDTH,
)

Numbers = Any
Colour = tuple[Any, Any, Any, Any]
"""Red, green, blue 0..255 and alpha 0..1. float32."""

ZERO, ONE = np.float32(0), np.float32(1)
BYTE = np.float32(1 / 255)


def source(
    triangle: int,
    x: int,
    y: int,
    job: int,
    ints: Numbers,
    floats: Numbers,
    jobs: Numbers,
    placed: Numbers,
) -> tuple[Any, Any]:
    """Texture coordinate (x, y) of a pixel that lies in a triangle."""
    corner = jobs[job + INTS] + jobs[job + CORNERS] + 4 * triangle
    i, j, k = 2 * ints[corner], 2 * ints[corner + 1], 2 * ints[corner + 2]
    base = jobs[job + PLACED]
    ax, ay = placed[base + i], placed[base + i + 1]
    bx, by = placed[base + j] - ax, placed[base + j + 1] - ay
    cx, cy = placed[base + k] - ax, placed[base + k + 1] - ay
    px, py = np.float32(x) - ax, np.float32(y) - ay
    share = ONE / (bx * cy - by * cx)
    of_b, of_c = (px * cy - py * cx) * share, (bx * py - by * px) * share
    rest = jobs[job + FLOATS] + jobs[job + REST]
    u, v = floats[rest + i], floats[rest + i + 1]
    return (
        u + of_b * (floats[rest + j] - u) + of_c * (floats[rest + k] - u),
        v + of_b * (floats[rest + j + 1] - v) + of_c * (floats[rest + k + 1] - v),
    )


def skin_at(u: Any, v: Any, job: int, ints: Numbers, jobs: Numbers, drives: Numbers) -> Colour:
    """Colour of the person's texture, closing lids laid over it pixel by pixel."""
    wide, high = jobs[job + WIDTH], jobs[job + HEIGHT]
    left, right, fx = neighbours(u, wide)
    top, bottom, fy = neighbours(v, high)
    base = jobs[job + INTS] + jobs[job + SKIN]
    red, green, blue, alpha = ZERO, ZERO, ZERO, ZERO
    for n in range(4):
        x, y, share = left, top, ONE - fx
        if n & 1:
            x, share = right, fx
        if n >> 1:
            y, share = bottom, share * fy
        else:
            share = share * (ONE - fy)
        pixel = ints[base + y * wide + x]
        r, g, b = channel(pixel, 0), channel(pixel, 8), channel(pixel, 16)
        for lid in range(jobs[job + LID_COUNT]):
            covered = drives[jobs[job + DRIVE] + POSE + lid]
            row = jobs[job + INTS] + jobs[job + LIDS] + 5 * lid
            dx, dy = x - ints[row + 3], y - ints[row + 4]
            if covered > ZERO and 0 <= dx < ints[row + 1] and 0 <= dy < ints[row + 2]:
                over = ints[jobs[job + INTS] + ints[row] + dy * ints[row + 1] + dx]
                covered = covered * channel(over, 24) * BYTE
                r, g = mix(r, channel(over, 0), covered), mix(g, channel(over, 8), covered)
                b = mix(b, channel(over, 16), covered)
        red, green, blue = red + share * r, green + share * g, blue + share * b
        alpha += share * channel(pixel, 24)
    return red, green, blue, alpha * BYTE


def part_at(base: int, wide: int, high: int, u: Any, v: Any, ints: Numbers) -> Colour:
    """Colour of a texture; beyond its edge the outermost pixel goes on."""
    left, right, fx = neighbours(u, wide)
    top, bottom, fy = neighbours(v, high)
    top, bottom = base + top * wide, base + bottom * wide
    a, b, c, d = ints[top + left], ints[top + right], ints[bottom + left], ints[bottom + right]
    return (
        blend(a, b, c, d, 0, fx, fy),
        blend(a, b, c, d, 8, fx, fy),
        blend(a, b, c, d, 16, fx, fy),
        blend(a, b, c, d, 24, fx, fy) * BYTE,
    )


def mask_at(u: Any, v: Any, shift: int, job: int, ints: Numbers, jobs: Numbers) -> Any:
    """How much the upper (shift 0) or the lower (shift 8) skin covers, 0..1."""
    wide, high = jobs[job + WIDTH], jobs[job + HEIGHT]
    left, right, fx = neighbours(u, wide)
    top, bottom, fy = neighbours(v, high)
    base = jobs[job + INTS] + jobs[job + MASKS]
    top, bottom = base + top * wide, base + bottom * wide
    a, b, c, d = ints[top + left], ints[top + right], ints[bottom + left], ints[bottom + right]
    return blend(a, b, c, d, shift, fx, fy) * BYTE


def neighbours(place: Any, size: int) -> tuple[int, int, Any]:
    """The pixels before and after a place on a line of pixels, and the share of the latter."""
    inside = min(max(place, ZERO), np.float32(size - 1))
    before = int(inside)
    return before, min(before + 1, size - 1), inside - np.float32(before)


def blend(a: int, b: int, c: int, d: int, shift: int, fx: Any, fy: Any) -> Any:
    """One channel of four neighbours: the upper two, the lower two."""
    upper = mix(channel(a, shift), channel(b, shift), fx)
    return mix(upper, mix(channel(c, shift), channel(d, shift), fx), fy)


def channel(pixel: int, shift: int) -> Any:
    """One of the four bytes of a pixel."""
    return np.float32((pixel >> shift) & 255)


def mix(start: Any, end: Any, share: Any) -> Any:
    """Go from one value to another."""
    return start + share * (end - start)
