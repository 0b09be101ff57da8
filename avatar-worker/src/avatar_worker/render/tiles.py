"""Cells of 8 x 8 pixels as steps between pictures: laid aside, shaded, blended, copied. I420."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from avatar_worker.compiling import Array, folded

from .lanes import along, eight_of, evens, four_and_four_of, odds, put, put_four_and_four
from .sampling import laid_over

CELL: Final = 8
"""Pixels on each side of what is laid at once."""

TILE: Final = CELL * CELL * 3 // 2
"""Bytes of a cell that lies for itself."""

LIGHT_BITS: Final = 12
"""Light and shade are counted in parts of 2**12."""


@folded
def own_place() -> tuple[Any, Any, Any, Any]:
    """The `place` of a cell that lies for itself, in `TILE` bytes."""
    return np.uintp(0), np.uintp(8), np.uintp(64), np.uintp(16)


@folded
def mean_of(upper: Any, lower: Any) -> Any:
    """Means over 2 x 2 of what two lines and the two below them add up to. Four and four."""
    return (evens(upper, lower) + odds(upper, lower) + 2) >> 2


@folded
def darken(tile: Array, black: int, shade: Array, start: int, pitch: int, per_cover: int) -> None:
    """Put a cell of an interior into the shade of what covers the pixels above."""
    for half in range(2):
        upper = lower = along(np.int32(0), np.int32(0), np.int32(0))
        for y in range(4):
            above = eight_of(shade, np.uintp(start))
            light = (1 << LIGHT_BITS) - ((above * per_cover + 32768) >> 16)
            at = np.uintp(32 * half + CELL * y)
            put(tile, at, _lit(eight_of(tile, at), black, light))
            if y < 2:
                upper = upper + light
            else:
                lower = lower + light
            start += pitch
        light = mean_of(upper, lower)
        for c in range(2):
            at = np.uintp(64 + 16 * c + CELL * half)
            put(tile, at, _lit(eight_of(tile, at), 128, light))


@folded
def _lit(value: Any, dark: int, light: Any) -> Any:
    return ((value - dark) * light + (dark << LIGHT_BITS) + (1 << (LIGHT_BITS - 1))) >> LIGHT_BITS


@folded
def blend(
    back: Array,
    behind: tuple[Any, Any, Any, Any],
    front: Array,
    place: tuple[Any, Any, Any, Any],
    share: Array,
    start: int,
    step: int,
    out: Array,
) -> None:
    """Lay a cell of one picture over that of another, by a share for each pixel.

    Args:
        back: I420.
        behind: The cell's place in it.
        front: I420.
        place: The cell's place in `front` and `out`.
        share: int32, flat.
        start: Where in it the cell begins.
        step: From line to line there.
        out: I420.
    """
    at, pitch, blue, to_red = place
    at_back, pitch_back, blue_back, to_red_back = behind
    for _ in range(2):
        upper = lower = along(np.int32(0), np.int32(0), np.int32(0))
        for y in range(4):
            part = eight_of(share, np.uintp(start))
            put(out, at, laid_over(eight_of(back, at_back), eight_of(front, at), part))
            if y < 2:
                upper = upper + part
            else:
                lower = lower + part
            start, at, at_back = start + step, at + pitch, at_back + pitch_back
        mean = mean_of(upper, lower)
        here, there = blue, blue_back
        for _ in range(2):
            below, below_back = here + (pitch >> np.uintp(1)), there + (pitch_back >> np.uintp(1))
            one = four_and_four_of(back, there, below_back)
            other = four_and_four_of(front, here, below)
            put_four_and_four(out, here, below, laid_over(one, other, mean))
            here, there = here + to_red, there + to_red_back
        blue, blue_back = blue + pitch, blue_back + pitch_back


@folded
def take_quarters(source: Array, which: int, tile: Array) -> None:
    """Replace some quarters of a cell that lies for itself."""
    for n in range(4):
        if which >> n & 1:
            row, column = n >> 1, n & 1
            at, blue = 32 * row + 4 * column, 64 + 8 * row + 2 * column
            copy_cell(source, at, 8, blue, 16, tile, at, 8, blue, 16, 4, 4)


@folded
def copy_cell(
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
