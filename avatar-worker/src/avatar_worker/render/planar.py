"""The person over the background, drawn cell by cell straight into I420.

A face hardly turns within a cell of 8 x 8 pixels: mostly the whole cell is shifted by as many whole
pixels and a fraction that changes slowly. Then its samples lie beside each other in the texture and
are read in one piece, else one by one. Lines of a cell are drawn at once (`lanes`).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from .cells import CLEAR, SHEET, SOLID
from .compiling import Array, compiled, folded
from .lanes import (
    along,
    clamped,
    eight_of,
    evens,
    four_and_four_of,
    gathered,
    odds,
    put,
    put_four_and_four,
)
from .nodes import PAD, STEP

CELL: Final = 8
"""Pixels on each side of what is drawn at once."""

MARGIN: Final = 1 << 12
"""A sample may be moved by 1/16 pixel so that a cell stays in one piece."""

Pixels = npt.NDArray[np.uint8]


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
    out: Array,
) -> None:
    """Draw one skin of the person over the background.

    Args:
        nodes: Fine nodes of that skin.
        sheet: A slit's mark for its lower skin, else 0.
        rows: First and one past the last row of cells.
        textures: Luma, chroma and alpha, from `textures`.
        w: The picture's width, even.
        h: The picture's height, even.
        plate: The background. I420.
        kinds: What to draw every cell from, from `cells`.
        out: I420, holding the background. uint8, (w * h * 3 // 2,).
    """
    stride = w + 2 * PAD
    tile, under = np.empty(96, np.uint8), np.empty(96, np.uint8)
    for band in range(rows[0], rows[1]):
        for c in range(kinds.shape[1]):
            kind = kinds[band, c]
            if kind & 3 == CLEAR or kind >> SHEET != sheet:
                continue
            mixed = kind & SOLID == 0
            at, blue = 8 * band * w + 8 * c, w * h + 4 * band * (w >> 1) + 4 * c
            if 8 * c + 8 <= w and 8 * band + 8 <= h:
                place = np.uintp(at), np.uintp(w), np.uintp(blue), np.uintp(w * h >> 2)
                _draw_cell(nodes, band, c, textures, stride, mixed, plate, place, out)
                continue
            # The picture's edge cuts the cell: it is drawn whole elsewhere.
            wide, high = min(8, w - 8 * c), min(8, h - 8 * band)
            _copy(plate, at, w, blue, w * h >> 2, under, 0, 8, 64, 16, wide, high)
            place = np.uintp(0), np.uintp(8), np.uintp(64), np.uintp(16)
            _draw_cell(nodes, band, c, textures, stride, mixed, under, place, tile)
            _copy(tile, 0, 8, 64, 16, out, at, w, blue, w * h >> 2, wide, high)


@folded
def _draw_cell(
    nodes: Array,
    band: int,
    c: int,
    textures: tuple[Array, Array, Array],
    stride: int,
    mixed: bool,
    plate: Array,
    place: tuple[Any, Any, Any, Any],
    out: Array,
) -> None:
    """Draw all of a cell.

    Args:
        nodes: Fine nodes.
        band: Row of the cell.
        c: Column of the cell.
        textures: Luma, chroma and alpha.
        stride: From line to line of these.
        mixed: Whether the background shows through.
        plate: The background. I420.
        place: Where the cell begins in `out` and `plate`, luma from line to line there, where its
            chroma begins, and from U to V. uintp.
        out: I420.
    """
    luma, chroma, alpha = textures
    at, pitch, blue, to_red = place
    right, narrow = _shift(nodes, 0, band, c)
    down, flat = _shift(nodes, 1, band, c)
    joint = narrow and flat
    first = (8 * band + PAD + down) * stride + 8 * c + PAD + right
    u_edge = along(*_row(nodes, 0, 2 * band, c, right))
    v_edge = along(*_row(nodes, 1, 2 * band, c, down))
    for half in range(2):
        u, v = u_edge, v_edge
        u_edge = along(*_row(nodes, 0, 2 * band + half + 1, c, right))
        v_edge = along(*_row(nodes, 1, 2 * band + half + 1, c, down))
        u_down, v_down = (u_edge - u) >> 2, (v_edge - v) >> 2
        # Chroma lies between lines and columns of luma, its texture half a pixel right and down.
        p, q = _amid(u + (u_down >> 1), u_down), _amid(v + (v_down >> 1), v_down)
        upper = lower = along(np.int32(0), np.int32(0), np.int32(0))
        for y in range(4):
            start = first + y * stride
            if joint:
                fx, fy = clamped(u >> 8, 256), clamped(v >> 8, 256)
                value = bilinear(eight_of(luma, np.uintp(start)), fx, fy)
                if mixed:
                    share = bilinear(eight_of(alpha, np.uintp(start)), fx, fy)
            else:
                entries = (v >> 16) * stride + (u >> 16) + _counted(start)
                fx, fy = (u >> 8) & 255, (v >> 8) & 255
                value = bilinear(gathered(luma, entries), fx, fy)
                if mixed:
                    share = bilinear(gathered(alpha, entries), fx, fy)
            if mixed:
                value = laid_over(eight_of(plate, at), value, share)
                if y < 2:
                    upper = upper + share
                else:
                    lower = lower + share
            put(out, at, value)
            u, v, at = u + u_down, v + v_down, at + pitch
        third = first + 2 * stride
        if joint:
            fx, fy = clamped(p >> 8, 256), clamped(q >> 8, 256)
            tap = _two_lines(chroma, first, third)
            below = _two_lines(chroma, first + stride, third + stride)
        else:
            entries = (q >> 16) * stride + (p >> 16) + evens(_counted(first), _counted(third))
            fx, fy = (p >> 8) & 255, (q >> 8) & 255
            tap, below = gathered(chroma, entries), gathered(chroma, entries + stride)
        one, other = two_bilinear(tap, below, fx, fy)
        next_blue = blue + (pitch >> np.uintp(1))
        if mixed:
            mean = (evens(upper, lower) + odds(upper, lower) + 2) >> 2
            one = laid_over(four_and_four_of(plate, blue, next_blue), one, mean)
            behind = four_and_four_of(plate, blue + to_red, next_blue + to_red)
            other = laid_over(behind, other, mean)
        put_four_and_four(out, blue, next_blue, one)
        put_four_and_four(out, blue + to_red, next_blue + to_red, other)
        blue += pitch
        first += 4 * stride


@folded
def _amid(line: Any, down: Any) -> Any:
    """Places between columns, on a line and on the one two lines below."""
    later = line + down + down
    return (evens(line, later) + odds(line, later)) >> 1


@folded
def _two_lines(texture: Array, first: int, then: int) -> Any:
    """Every other one of eight entries, on two lines."""
    return evens(eight_of(texture, np.uintp(first)), eight_of(texture, np.uintp(then)))


@folded
def _row(nodes: Array, p: int, row: int, c: int, whole: Any) -> tuple[Any, Any, Any]:
    """Where a line of pixels at a row of nodes lies in the texture, beyond whole pixels.

    Returns:
        Start, step to the next pixel, and what the step grows by in the middle, in 1/65536 pixel;
        rounded so that a shift by 8 leaves 8 bits of fraction.
    """
    less = np.int32(np.int32(whole << 16) - np.int32(128))
    a = np.int32(_displaced(nodes, p, row, 2 * c) - less)
    b = np.int32(_displaced(nodes, p, row, 2 * c + 1) - less)
    d = np.int32(_displaced(nodes, p, row, 2 * c + 2) - less)
    step = np.int32(np.int32(b - a) >> 2)
    return a, step, np.int32(np.int32(np.int32(d - b) >> 2) - step)


@folded
def _counted(start: Any) -> Any:
    """`start` and the seven numbers after it."""
    return along(np.int32(start), np.int32(1), np.int32(0))


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


@folded
def _shift(nodes: Array, p: int, band: int, c: int) -> tuple[Any, Any]:
    """Whole pixels that a cell is shifted by, and whether it stays between these and the next."""
    low, high = np.int32(0x7FFFFFFF), np.int32(-0x7FFFFFFF)
    for row in range(3):
        for column in range(3):
            value = _displaced(nodes, p, 2 * band + row, 2 * c + column)
            low, high = min(low, value), max(high, value)
    whole = np.int32(np.int32(low + np.int32(MARGIN)) >> 16)
    return whole, np.int32(high - np.int32(whole << 16)) <= (1 << 16) + MARGIN


@folded
def _displaced(nodes: Array, p: int, row: int, column: int) -> Any:
    """How far from its own place a node shows the texture."""
    place = np.int32((row if p else column) * (STEP << 16))
    return np.int32(nodes[np.uintp(p), np.uintp(row), np.uintp(column)] - place)


@folded
def _copy(
    source: Array,
    at: int,
    pitch: int,
    blue: int,
    to_red: int,
    out: Array,
    to: int,
    out_pitch: int,
    out_blue: int,
    out_to_red: int,
    wide: int,
    high: int,
) -> None:
    """Copy a part of one I420 picture to a place in another."""
    for y in range(high):
        for x in range(wide):
            out[to + y * out_pitch + x] = source[at + y * pitch + x]
    for y in range(high >> 1):
        for x in range(wide >> 1):
            there, here = out_blue + y * (out_pitch >> 1) + x, blue + y * (pitch >> 1) + x
            out[there], out[there + out_to_red] = source[here], source[here + to_red]
