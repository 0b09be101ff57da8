"""Textures as lines are sampled from them: flat, padded, each entry with its neighbours.

Textures lie in flat arrays with `PAD` repeated pixels on every side, and each entry holds what
one bilinear sample needs beside each other, so that a sample is one or two reads.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from avatar_worker.compiling import Array, compiled

from .cells import CLEAR, MIXED, REACH, SOLID
from .colour import luma_of
from .nodes import COARSE, PAD

Packed = npt.NDArray[np.uint32]

RINGS: Final = 16
"""Farther than 16 nodes away from the person no mesh moves it; if it does, all nodes are asked."""


def packed(rgba: npt.NDArray[np.uint8]) -> Packed:
    """Four channels in one little-endian word. (h, w, 4) to (h, w)."""
    return np.ascontiguousarray(rgba).view("<u4")[..., 0]


def flat(texture: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Repeat the last column and row, so that a sample's neighbour always exists; flatten."""
    return np.ascontiguousarray(np.pad(texture, ((0, 1), (0, 1)), mode="edge")).ravel()


def pad(plane: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Repeat the outermost pixels `PAD` times. (h, w) to (h + 2 PAD, w + 2 PAD)."""
    return np.pad(plane, PAD, mode="edge")


def taps_of(plane: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    """Pack each pixel with its right, lower and lower right neighbour. (h, w) to flat, padded."""
    wide = np.pad(pad(plane), ((0, 1), (0, 1)), mode="edge").astype(np.uint32)
    right, below = wide[:-1, 1:] << 8, wide[1:, :-1] << 16
    packed = wide[:-1, :-1] | right | below | (wide[1:, 1:] << 24)
    return np.ascontiguousarray(packed).ravel()


def covers_of(alpha: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Say of every pixel whether all around it is clear, or solid. (h, w) to flat, padded."""
    wide = pad(alpha)
    kinds = np.full(wide.shape, MIXED, np.uint8)
    kinds[~_any_near(wide > 0)] = CLEAR
    kinds[~_any_near(wide < 255)] = SOLID
    return kinds.ravel()


def _any_near(flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    for axis in (0, 1):
        total = np.cumsum(flags, axis=axis, dtype=np.int32)
        size = flags.shape[axis]
        high = np.minimum(np.arange(size) + REACH, size - 1)
        low = np.arange(size) - REACH - 1
        counts = np.take(total, high, axis=axis)
        inside = np.flatnonzero(low >= 0)
        before = np.zeros_like(total)
        if axis == 0:
            before[inside] = total[low[inside]]
        else:
            before[:, inside] = total[:, low[inside]]
        flags = counts > before
    return flags


def away_of(alpha: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Say how many pixels, at least, lie between each coarse node and all that is not clear.

    Args:
        alpha: The person's. uint8, (h, w).

    Returns:
        Multiples of `COARSE`, up to `RINGS` of them. uint8, (rows, columns) of coarse nodes.
    """
    rows, columns = (-(-(side - 1) // COARSE) + 1 for side in alpha.shape)
    edges = [(0, COARSE * n - side) for n, side in zip((rows, columns), alpha.shape, strict=True)]
    blocks = np.pad(alpha > 0, edges).reshape(rows, COARSE, columns, COARSE).any((1, 3))
    # A node lies where four blocks meet.
    near = np.pad(blocks, ((1, 0), (1, 0)))
    near = near[1:, 1:] | near[:-1, 1:] | near[1:, :-1] | near[:-1, :-1]
    away = np.zeros(near.shape, np.uint8)
    for _ in range(RINGS):
        away[~near] += COARSE
        wide = np.pad(near, 1)
        near = np.any(
            [wide[y : y + rows, x : x + columns] for y in range(3) for x in range(3)], axis=0
        )
    return away


@compiled
def pack_skin(
    skin: Array,
    table: Array,
    w: int,
    h: int,
    box: tuple[int, int, int, int],
    luma: Array,
    chroma: Array,
) -> None:
    """Turn a part of the person's texture into what `draw_person` samples.

    A chroma entry is made of means over 2 x 2 pixels at every full pixel, weighted by alpha.

    Args:
        skin: Packed RGBA with a stride of w + 1, flat. uint32.
        table: From `colour.coefficients`.
        w: The texture's width.
        h: The texture's height.
        box: Left, top, right, bottom of the pixels that changed; entries beside them follow.
        luma: Filled: Y here, right, below, and below right. uint32.
        chroma: Filled: U here and right, V here and right. uint32.
    """
    x0, y0, x1, y1 = box
    left, top = max(x0 - 2, -PAD), max(y0 - 1, -PAD)
    right, bottom = x1, y1
    if x1 >= w:
        right = w + PAD
    if y1 >= h:
        bottom = h + PAD
    if x0 <= 0:
        left = -PAD
    if y0 <= 0:
        top = -PAD
    rows, columns = bottom - top, right - left
    if rows <= 0 or columns <= 0:
        return
    ys = np.empty((rows + 1, columns + 1), np.uint8)
    uv = np.empty((rows, columns + 1, 2), np.uint8)
    for y in range(rows + 1):
        line = min(max(top + y, 0), h - 1) * (w + 1)
        for x in range(columns + 1):
            p = np.int64(skin[line + min(max(left + x, 0), w - 1)])
            ys[y, x] = luma_of(p, table)
    for y in range(rows):
        here = min(max(top + y, 0), h - 1) * (w + 1)
        below = min(max(top + y + 1, 0), h - 1) * (w + 1)
        for x in range(columns + 1):
            at, beside = min(max(left + x, 0), w - 1), min(max(left + x + 1, 0), w - 1)
            a, b = np.int64(skin[here + at]), np.int64(skin[here + beside])
            c, d = np.int64(skin[below + at]), np.int64(skin[below + beside])
            aa, ba, ca, da = a >> 24, b >> 24, c >> 24, d >> 24
            total = aa + ba + ca + da
            if total == 0 or total == 1020:
                aa = ba = ca = da = np.int64(1)
                total = np.int64(4)
            red = (a & 255) * aa + (b & 255) * ba + (c & 255) * ca + (d & 255) * da
            green = ((a >> 8) & 255) * aa + ((b >> 8) & 255) * ba
            green += ((c >> 8) & 255) * ca + ((d >> 8) & 255) * da
            blue = ((a >> 16) & 255) * aa + ((b >> 16) & 255) * ba
            blue += ((c >> 16) & 255) * ca + ((d >> 16) & 255) * da
            for i in range(2):
                value = red * table[i + 1, 0] + green * table[i + 1, 1] + blue * table[i + 1, 2]
                uv[y, x, i] = min(max((value + total * table[i + 1, 3]) // (total << 16), 0), 255)
    stride = w + 2 * PAD
    for y in range(rows):
        start = (top + PAD + y) * stride + left + PAD
        for x in range(columns):
            near = np.uint32(ys[y, x]) | (np.uint32(ys[y, x + 1]) << 8)
            luma[start + x] = near | (
                (np.uint32(ys[y + 1, x]) | (np.uint32(ys[y + 1, x + 1]) << 8)) << 16
            )
            blue_red = np.uint32(uv[y, x, 0]) | (np.uint32(uv[y, x + 1, 0]) << 8)
            chroma[start + x] = blue_red | (
                (np.uint32(uv[y, x, 1]) | (np.uint32(uv[y, x + 1, 1]) << 8)) << 16
            )
    if bottom == h + PAD:
        last = (h + 2 * PAD) * stride
        for x in range(stride):
            chroma[last + x] = chroma[last - stride + x]
