"""The person over the background, drawn straight into I420.

Textures lie in flat arrays with `PAD` repeated pixels on every side, and each entry holds what
one bilinear sample needs beside each other, so that a sample is one or two reads. Every line is
drawn in short passes that the compiler turns into vector instructions.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from .cells import CLEAR, MIXED, REACH, SHEET, SOLID
from .colour import luma_of
from .compiling import Array, compiled, folded, inlined
from .nodes import PAD

LINES: Final = 9
"""Scratch lines: u, v, place in a texture, entries there and below, u and v of nodes, alpha twice.

Apart, not rows of one array: the compiler must know that they do not overlap.
"""

_ONE, _TWO, _THREE, _FOUR = np.uintp(1), np.uintp(2), np.uintp(3), np.uintp(4)
"""Unsigned indices spare the compiler's check for negative ones."""

Pixels = npt.NDArray[np.uint8]


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


@compiled
def draw_person(
    nodes: Array,
    sheet: int,
    rows: tuple[int, int],
    textures: tuple[Array, Array, Array],
    w: int,
    h: int,
    plate: Array,
    kinds: Array,
    lines: tuple[Array, ...],
    out: Array,
) -> None:
    """Draw one skin of the person over the background.

    Args:
        nodes: Fine nodes of that skin.
        sheet: A slit's mark for its lower skin, else 0.
        rows: First and one past the last row of cells.
        textures: Luma, chroma and alpha, from `pack_skin` and `taps_of`.
        w: The picture's width, even.
        h: The picture's height, even.
        plate: The background. I420.
        kinds: What to draw every cell from, from `cells`.
        lines: Scratch: `LINES` times int32, (w + 16 or more,).
        out: I420, holding the background. uint8, (w * h * 3 // 2,).
    """
    for band in range(rows[0], rows[1]):
        row = kinds[band]
        c = 0
        while c < row.shape[0]:
            first = c
            while c < row.shape[0] and row[c] & 3 != CLEAR and row[c] >> SHEET == sheet:
                c += 1
            if c > first:
                x0, x1 = 8 * first, min(8 * c, w)
                for y in range(8 * band, min(8 * band + 8, h), 2):
                    _draw_pair(nodes, textures, w, h, y, x0, x1, plate, row, lines, out)
            c += 1


@folded
def _draw_pair(
    nodes: Array,
    textures: tuple[Array, Array, Array],
    w: int,
    h: int,
    y: int,
    x0: int,
    x1: int,
    plate: Array,
    kinds: Array,
    lines: tuple[Array, ...],
    out: Array,
) -> None:
    """Draw two lines of luma and one of chroma, from column x0 (a multiple of 8) to x1."""
    luma, chroma, alpha = textures
    us, vs, at, taps, below, edge_u, edge_v, alpha_above, alpha_below = lines
    stride = np.int32(w + 2 * PAD)
    n, row, first = (x1 - x0 + 3) >> 2, y >> 2, x0 >> 2
    for i in range(2):
        start = (y + i) * w + x0
        k = np.int32(2 * ((y + i) & 3))
        _between(nodes, 0, row, first, k, n + 1, edge_u)
        _between(nodes, 1, row, first, k, n + 1, edge_v)
        _spread(n, edge_u, us)
        _spread(n, edge_v, vs)
        _locate(4 * n, stride, us, vs, at)
        _gather(luma, 0, 4 * n, 0, at, taps)
        _blend(x1 - x0, start, taps, us, vs, out)
        kept = alpha_below if i else alpha_above
        c, stop = x0 >> 3, (x1 + 7) >> 3
        while c < stop:
            before = c
            while c < stop and kinds[c] & SOLID == 0:
                c += 1
            if c > before:
                x, wide = 8 * before - x0, min(8 * c, x1) - 8 * before
                _gather(alpha, x, wide, 0, at, taps)
                _fade(x, wide, start + x, taps, us, vs, kept, plate, out)
            c += 1
    # Chroma lies between the lines and columns of luma, its textures half a pixel down and right.
    k = np.int32(2 * (y & 3) + 1)
    _between(nodes, 0, row, first, k, n + 1, edge_u)
    _between(nodes, 1, row, first, k, n + 1, edge_v)
    _spread_half(n, edge_u, us)
    _spread_half(n, edge_v, vs)
    _locate(2 * n, stride, us, vs, at)
    _gather(chroma, 0, 2 * n, 0, at, taps)
    _gather(chroma, 0, 2 * n, w + 2 * PAD, at, below)
    blue = w * h + (y >> 1) * (w >> 1) + (x0 >> 1)
    red = blue + ((w * h) >> 2)
    _blend_pair((x1 - x0) >> 1, blue, red, taps, below, us, vs, out)
    c, stop = x0 >> 3, (x1 + 7) >> 3
    while c < stop:
        before = c
        while c < stop and kinds[c] & SOLID == 0:
            c += 1
        if c > before:
            x, wide = 4 * before - (x0 >> 1), (min(8 * c, x1) - 8 * before) >> 1
            _fade_mean(x, wide, blue + x, alpha_above, alpha_below, plate, out)
            _fade_mean(x, wide, red + x, alpha_above, alpha_below, plate, out)
        c += 1


@folded
def _between(
    nodes: Array, plane: int, row: int, first: int, k: np.int32, n: int, edge: Array
) -> None:
    """Nodes on a line k eighths of the way down, ready to be cut to 8 bits of fraction."""
    bias = np.int32((PAD << 16) + 128)
    rest = np.int32(8 - k)
    p, at, next_row, start = np.uintp(plane), np.uintp(row), np.uintp(row + 1), np.uintp(first)
    for i in range(np.uintp(n)):
        # Halves: eight times a coordinate on the largest canvas is still a number.
        a = np.int32(nodes[p, at, start + i] >> 1)
        b = np.int32(nodes[p, next_row, start + i] >> 1)
        value = np.int32(np.int32(a * rest) + np.int32(b * k))
        edge[i] = np.int32(np.int32(value >> 2) + bias)


@folded
def _spread(n: int, edge: Array, line: Array) -> None:
    for i in range(np.uintp(n)):
        a, b = edge[i], edge[i + _ONE]
        step = np.int32(b - a)
        line[_FOUR * i] = a
        line[_FOUR * i + _ONE] = np.int32(a + np.int32(step >> 2))
        line[_FOUR * i + _TWO] = np.int32(a + np.int32(step >> 1))
        line[_FOUR * i + _THREE] = np.int32(a + np.int32(np.int32(3 * step) >> 2))


@folded
def _spread_half(n: int, edge: Array, line: Array) -> None:
    half = np.int32(32768)
    for i in range(np.uintp(n)):
        a, b = edge[i], edge[i + _ONE]
        eighth = np.int32(np.int32(b - a) >> 3)
        line[_TWO * i] = np.int32(np.int32(a + eighth) - half)
        line[_TWO * i + _ONE] = np.int32(np.int32(a + np.int32(5 * eighth)) - half)


@folded
def _locate(n: int, stride: np.int32, us: Array, vs: Array, at: Array) -> None:
    for x in range(np.uintp(n)):
        row = np.int32(np.int32(vs[x] >> 16) * stride)
        at[x] = np.int32(row + np.int32(us[x] >> 16))


@folded
def _gather(texture: Array, x0: int, n: int, beyond: int, at: Array, taps: Array) -> None:
    for x in range(np.uintp(x0), np.uintp(x0 + n)):
        taps[x] = np.int32(texture[np.uintp(at[x]) + np.uintp(beyond)])


@inlined
def _bilinear(tap: Any, u: Any, v: Any) -> Any:
    """Two bilinear steps: both rows in one word along x, then y."""
    fx = np.uint32(np.uint32(u) >> np.uint32(8)) & np.uint32(255)
    fy = np.uint32(np.uint32(v) >> np.uint32(8)) & np.uint32(255)
    even = np.uint32(tap & np.uint32(0xFF00FF))
    odd = np.uint32(np.uint32(tap >> np.uint32(8)) & np.uint32(0xFF00FF))
    both = np.uint32(
        np.uint32(even * np.uint32(np.uint32(256) - fx)) + np.uint32(odd * np.uint32(fx))
    )
    top = np.uint32(np.uint32(both & np.uint32(0xFFFF)) * np.uint32(np.uint32(256) - fy))
    bottom = np.uint32(np.uint32(both >> np.uint32(16)) * np.uint32(fy))
    return np.uint32(np.uint32(np.uint32(top + bottom) + np.uint32(32768)) >> np.uint32(16))


@folded
def _blend(n: int, start: int, taps: Array, us: Array, vs: Array, out: Array) -> None:
    first = np.uintp(start)
    for x in range(np.uintp(n)):
        out[first + x] = _bilinear(np.uint32(taps[x]), us[x], vs[x])


@folded
def _blend_pair(
    n: int, blue: int, red: int, taps: Array, below: Array, us: Array, vs: Array, out: Array
) -> None:
    """As `_blend`, of two channels at once: along x, then y."""
    to_blue, to_red = np.uintp(blue), np.uintp(red)
    for x in range(np.uintp(n)):
        fx = np.uint32(np.uint32(us[x]) >> np.uint32(8)) & np.uint32(255)
        fy = np.uint32(np.uint32(vs[x]) >> np.uint32(8)) & np.uint32(255)
        gx, gy = np.uint32(np.uint32(256) - fx), np.uint32(np.uint32(256) - fy)
        tap = np.uint32(taps[x])
        even = np.uint32(tap & np.uint32(0xFF00FF))
        odd = np.uint32(np.uint32(tap >> np.uint32(8)) & np.uint32(0xFF00FF))
        top = np.uint32(np.uint32(even * gx) + np.uint32(odd * fx))
        tap = np.uint32(below[x])
        even = np.uint32(tap & np.uint32(0xFF00FF))
        odd = np.uint32(np.uint32(tap >> np.uint32(8)) & np.uint32(0xFF00FF))
        bottom = np.uint32(np.uint32(even * gx) + np.uint32(odd * fx))
        low = np.uint32(np.uint32(top & np.uint32(0xFFFF)) * gy)
        low = np.uint32(low + np.uint32(np.uint32(bottom & np.uint32(0xFFFF)) * fy))
        high = np.uint32(np.uint32(top >> np.uint32(16)) * gy)
        high = np.uint32(high + np.uint32(np.uint32(bottom >> np.uint32(16)) * fy))
        out[to_blue + x] = np.uint32(low + np.uint32(32768)) >> np.uint32(16)
        out[to_red + x] = np.uint32(high + np.uint32(32768)) >> np.uint32(16)


@folded
def _fade(
    x0: int,
    n: int,
    start: int,
    taps: Array,
    us: Array,
    vs: Array,
    kept: Array,
    plate: Array,
    out: Array,
) -> None:
    """Let the background through where the person does not cover all of it; keep the alpha."""
    for x in range(np.uintp(x0), np.uintp(x0 + n)):
        at = np.uintp(start) + (x - np.uintp(x0))
        share = _bilinear(np.uint32(taps[x]), us[x], vs[x])
        kept[x] = share
        rest = np.uint32(np.uint32(255) - share)
        total = np.uint32(np.uint32(np.uint32(out[at]) * share) + np.uint32(128))
        total = np.uint32(total + np.uint32(np.uint32(plate[at]) * rest))
        out[at] = np.uint32(total + np.uint32(total >> np.uint32(8))) >> np.uint32(8)


@folded
def _fade_mean(
    x0: int, n: int, start: int, above: Array, below: Array, plate: Array, out: Array
) -> None:
    """As `_fade`, with the mean alpha of the four pixels around."""
    for x in range(np.uintp(x0), np.uintp(x0 + n)):
        at = np.uintp(start) + (x - np.uintp(x0))
        share = np.int32(above[_TWO * x] + above[_TWO * x + _ONE])
        share = np.int32(share + np.int32(below[_TWO * x] + below[_TWO * x + _ONE]))
        total = np.int32(np.int32(np.int32(out[at]) * share) + np.int32(510))
        total = np.int32(total + np.int32(np.int32(plate[at]) * np.int32(1020 - share)))
        out[at] = np.uint32(total) // np.uint32(1020)
