"""The person over the background, drawn cell by cell straight into I420."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from avatar_worker.compiling import Array, compiled

from .cells import CLEAR, SHEET, SOLID
from .laying import lay_cell
from .nodes import PAD
from .tiles import TILE, copy_cell, own_place

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
    tile, under = np.empty(TILE, np.uint8), np.empty(TILE, np.uint8)
    for band in range(rows[0], rows[1]):
        for c in range(kinds.shape[1]):
            kind = kinds[band, c]
            if kind & 3 == CLEAR or kind >> SHEET != sheet:
                continue
            mixed = kind & SOLID == 0
            at, blue = 8 * band * w + 8 * c, w * h + 4 * band * (w >> 1) + 4 * c
            if 8 * c + 8 <= w and 8 * band + 8 <= h:
                place = np.uintp(at), np.uintp(w), np.uintp(blue), np.uintp(w * h >> 2)
                lay_cell(nodes, band, c, textures, 0, stride, mixed, plate, place, out)
                continue
            # The picture's edge cuts the cell: it is drawn whole elsewhere.
            wide, high = min(8, w - 8 * c), min(8, h - 8 * band)
            copy_cell(plate, at, w, blue, w * h >> 2, under, 0, 8, 64, 16, wide, high)
            lay_cell(nodes, band, c, textures, 0, stride, mixed, under, own_place(), tile)
            copy_cell(tile, 0, 8, 64, 16, out, at, w, blue, w * h >> 2, wide, high)
