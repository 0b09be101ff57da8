"""One cell of a texture, laid over one cell of an I420 picture.

A face hardly turns within a cell of 8 x 8 pixels: mostly the whole cell is shifted by as many whole
pixels and a fraction that changes slowly. Then its samples lie beside each other in the texture and
are read in one piece, else one by one. Lines of a cell are laid at once (`lanes`).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from avatar_worker.compiling import Array, folded

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
from .sampling import bilinear, laid_over, two_bilinear
from .tiles import CELL, mean_of

MARGIN: Final = 1 << 12
"""A sample may be moved by 1/16 pixel so that a cell stays in one piece."""


@folded
def lay_cell(
    nodes: Array,
    band: int,
    c: int,
    textures: tuple[Array, Array, Array],
    base: int,
    stride: int,
    mixed: bool,
    back: Array,
    place: tuple[Any, Any, Any, Any],
    out: Array,
) -> None:
    """Draw all of a cell.

    Args:
        nodes: Fine nodes.
        band: Row of the cell among them.
        c: Column of the cell.
        textures: Luma, chroma and alpha, from `textures`.
        base: Where in these the texture begins.
        stride: From line to line of these.
        mixed: Whether what is behind shows through.
        back: What is behind. I420.
        place: Where the cell begins in `out` and `back`, luma from line to line there, where its
            chroma begins, and from U to V. uintp.
        out: I420; may be `back`.
    """
    luma, chroma, alpha = textures
    at, pitch, blue, to_red = place
    right, narrow = _shift(nodes, 0, band, c)
    down, flat = _shift(nodes, 1, band, c)
    joint = narrow and flat
    first = base + (CELL * band + PAD + down) * stride + CELL * c + PAD + right
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
                value = laid_over(eight_of(back, at), value, share)
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
            mean = mean_of(upper, lower)
            one = laid_over(four_and_four_of(back, blue, next_blue), one, mean)
            behind = four_and_four_of(back, blue + to_red, next_blue + to_red)
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
def lay_mask(nodes: Array, taps: Array, stride: int, out: Array, at: int, pitch: int) -> None:
    """Sample a texture of one channel for a cell.

    Args:
        nodes: The cell's fine nodes. int32, (2, 3, 3).
        taps: From `textures.taps_of`.
        stride: From line to line of these.
        out: int32, flat.
        at: Where in it the cell begins.
        pitch: From line to line there.
    """
    right, narrow = _shift(nodes, 0, 0, 0)
    down, flat = _shift(nodes, 1, 0, 0)
    joint = narrow and flat
    start = (PAD + down) * stride + PAD + right
    u_edge, v_edge = along(*_row(nodes, 0, 0, 0, right)), along(*_row(nodes, 1, 0, 0, down))
    for half in range(2):
        u, v = u_edge, v_edge
        u_edge = along(*_row(nodes, 0, half + 1, 0, right))
        v_edge = along(*_row(nodes, 1, half + 1, 0, down))
        u_down, v_down = (u_edge - u) >> 2, (v_edge - v) >> 2
        for _ in range(4):
            if joint:
                tap = eight_of(taps, np.uintp(start))
                value = bilinear(tap, clamped(u >> 8, 256), clamped(v >> 8, 256))
            else:
                entries = (v >> 16) * stride + (u >> 16) + _counted(start)
                value = bilinear(gathered(taps, entries), (u >> 8) & 255, (v >> 8) & 255)
            put(out, np.uintp(at), value)
            u, v, start, at = u + u_down, v + v_down, start + stride, at + pitch


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
