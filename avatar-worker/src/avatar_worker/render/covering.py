"""How far a slit's upper skin covers what lies behind it, pixel by pixel, and its shade on that."""

from __future__ import annotations

import numpy as np

from avatar_worker.compiling import Array, compiled, folded

from .cells import SHEET, SOLID, cover_of
from .laying import lay_mask
from .nodes import PAD, UNSEEN, nodes_of_cell
from .tiles import CELL


@compiled
def cover_upper(
    box: tuple[int, int, int, int],
    tag: int,
    exact: Array,
    kinds: Array,
    owner: Array,
    upper: Array,
    lower: Array,
    mask: Array,
    covers: Array,
    w: int,
    over: Array,
) -> None:
    """Say how the upper skin covers each pixel: exactly where skins part, roughly elsewhere.

    Args:
        box: Left, top, right, bottom of cells.
        tag: The slit's mark in `exact` and `owner`.
        exact: Where skins part. Cells that turn out to be covered are cleared. uint8, (rows,
            columns) of cells.
        kinds: What the other cells were drawn from. uint8, as large.
        owner: Which slit each fine node belongs to. uint8.
        upper: Fine nodes of the upper skin.
        lower: Fine nodes of the lower skin; where it is missing, the upper one is alone.
        mask: From `textures.taps_of`, of the cover by the upper skin.
        covers: From `textures.covers_of`, of the same.
        w: The picture's width.
        over: Filled. int32, (rows, columns) of pixels of whole cells.
    """
    stride, pitch = w + 2 * PAD, over.shape[1]
    line = over.reshape(over.size)
    at = np.empty((2, 3, 3), np.int32)
    for y in range(box[1], box[3]):
        for x in range(box[0], box[2]):
            top, left = CELL * (y - box[1]), CELL * (x - box[0])
            part = over[top : top + CELL, left : left + CELL]
            if exact[y, x] != tag:
                part[:] = 0 if kinds[y, x] >> SHEET else 255
                continue
            nodes_of_cell(upper, y, x, at)
            if cover_of(at, covers, stride) == SOLID:
                part[:] = 255
                exact[y, x] = 0
                continue
            lay_mask(at, mask, stride, line, top * pitch + left, pitch)
            if not _shows(part, owner, lower, tag, y, x):
                exact[y, x] = 0


@folded
def _shows(part: Array, owner: Array, lower: Array, tag: int, y: int, x: int) -> bool:
    """Cover the quarters of a cell that are not the slit's; say whether anything shows through."""
    found = False
    for n in range(4):
        row, column = 2 * y + (n >> 1), 2 * x + (n & 1)
        own = True
        for i in range(row, row + 2):
            for j in range(column, column + 2):
                own = own and owner[i, j] == tag and lower[0, i, j] != UNSEEN
        quarter = part[4 * (n >> 1) :, 4 * (n & 1) :][:4, :4]
        if not own:
            quarter[:] = 255
            continue
        for i in range(4):
            for j in range(4):
                found = found or quarter[i, j] != 255
    return found


@compiled
def add_above(over: Array, reach: int, total: Array) -> None:
    """Add up the cover in the `reach` rows above each pixel; above the first row it is complete.

    Args:
        over: int32, (rows, columns).
        reach: At least 1.
        total: Filled. int32, (rows, columns).
    """
    rows, columns = over.shape
    for x in range(columns):
        total[0, x] = 255 * reach
    for y in range(1, rows):
        line, before, above = total[y], total[y - 1], over[y - 1]
        if y > reach:
            leaving = over[y - 1 - reach]
            for x in range(columns):
                line[x] = before[x] + above[x] - leaving[x]
        else:
            for x in range(columns):
                line[x] = before[x] + above[x] - 255
