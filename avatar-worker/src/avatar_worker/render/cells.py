"""What each cell of 8 x 8 pixels is drawn from.

That is the person's upper skin, the lower skin of a slit where it alone shows, or, where skins
part, one pixel after the other.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from avatar_worker.compiling import Array, compiled, folded

from .nodes import PAD, STEP, UNSEEN
from .walk import find_node, numbers_of

CLEAR: Final = 0
MIXED: Final = 1
SOLID: Final = 2
"""How the person, or a slit's skin, covers a cell."""

SHEET: Final = 2
"""From this bit on: the slit whose lower skin a cell is drawn from; 0 is the person's own."""

REACH: Final = 6
"""Texture pixels around a place that its entry in a map of covers speaks for."""

_WITHIN: Final = 19 << 14
"""Farthest that a cell's corner may come from its middle for the entry there to decide."""

_NEAR: Final = 7 << 16
"""The same where the entries of all nine nodes decide together."""

_AGREE: Final = 1 << 13
"""Skins that differ by an eighth of a pixel show the same."""


@compiled
def person_cells(nodes: Array, covers: Array, w: int, h: int, kinds: Array) -> None:
    """Say how the person covers every cell.

    Args:
        nodes: Fine nodes.
        covers: From `textures.covers_of`, of the person's alpha.
        w: The picture's width.
        h: The picture's height.
        kinds: Filled. uint8, (h / 8, w / 8), rounded up.
    """
    stride = w + 2 * PAD
    far = np.empty(kinds.shape[1], np.uint32)
    for row in range(kinds.shape[0]):
        far[:] = 0
        for p in range(2):
            above, middle, below = nodes[p, 2 * row], nodes[p, 2 * row + 1], nodes[p, 2 * row + 2]
            for c in range(np.uintp(kinds.shape[1])):
                # As unsigned numbers, differences below -_WITHIN and to unseen nodes are large.
                here = np.int32(middle[c + c + np.uintp(1)] - np.int32(_WITHIN))
                right = c + c + np.uintp(2)
                first = max(np.uint32(above[c + c] - here), np.uint32(above[right] - here))
                second = max(np.uint32(below[c + c] - here), np.uint32(below[right] - here))
                far[c] = max(far[c], max(first, second))
        for c in range(kinds.shape[1]):
            u, v = nodes[0, 2 * row + 1, 2 * c + 1], nodes[1, 2 * row + 1, 2 * c + 1]
            if u == UNSEEN:
                kinds[row, c] = CLEAR
            elif far[c] <= 2 * _WITHIN:
                kinds[row, c] = entry(covers, stride, u, v)
            else:
                kinds[row, c] = _cover(nodes, covers, stride, 2 * row, 2 * c)


@folded
def _cover(nodes: Array, covers: Array, stride: int, y: int, x: int) -> Any:
    u, v = np.int64(nodes[0, y + 1, x + 1]), np.int64(nodes[1, y + 1, x + 1])
    near: Any = True
    for i in range(4):
        row, column = y + (i & 2), x + 2 * (i & 1)
        p, q = np.int64(nodes[0, row, column]), np.int64(nodes[1, row, column])
        if p == UNSEEN:
            return CLEAR
        near = near and abs(p - u) <= _WITHIN and abs(q - v) <= _WITHIN
    return entry(covers, stride, u, v) if near else MIXED


@folded
def cover_of(nine: Array, covers: Array, stride: int) -> Any:
    """Say how a mask covers a cell.

    Args:
        nine: The cell's fine nodes. int32, (2, 3, 3).
        covers: From `textures.covers_of`.
        stride: From line to line of these.
    """
    u, v = np.int64(nine[0, 1, 1]), np.int64(nine[1, 1, 1])
    return entry(covers, stride, u, v) if _is_near(nine, 0, 0, u, v) else MIXED


@folded
def _is_near(nodes: Array, y: int, x: int, u: Any, v: Any) -> Any:
    """Whether the entry at a cell's middle speaks for all of the cell."""
    near: Any = True
    for row in range(y, y + 3):
        for column in range(x, x + 3):
            near = near and abs(np.int64(nodes[0, row, column]) - u) <= _WITHIN
            near = near and abs(np.int64(nodes[1, row, column]) - v) <= _WITHIN
    return near


@folded
def entry(covers: Array, stride: int, u: Any, v: Any) -> Any:
    """What a map of covers says of a place, in 16.16 fixed point."""
    x, y = np.int64(u) >> 16, np.int64(v) >> 16
    return np.int64(covers[np.uintp((y + PAD) * stride + x + PAD)])


@compiled
def slit_cells(
    box: tuple[int, int, int, int],
    tag: int,
    owner: Array,
    upper: Array,
    grid: Array,
    xy: Array,
    covers: tuple[Array, Array, Array],
    w: int,
    h: int,
    lower: Array,
    kinds: Array,
    exact: Array,
) -> tuple[int, int, int, int, int]:
    """Find the cells of a slit's mesh where its upper skin is not alone.

    Args:
        box: Left, top, right, bottom of the nodes of its upper skin.
        tag: The slit's mark in `owner`.
        owner: Which slit each fine node belongs to. uint8.
        upper: Fine nodes.
        grid: The lower skin.
        xy: Screen positions of vertices. float32, (V, 2).
        covers: From `textures.covers_of`: of the person, and by the upper and the lower skin.
        w: The picture's width.
        h: The picture's height.
        lower: Filled within the box as far as it is needed. Fine nodes.
        kinds: Cells, changed to the slit and how the person covers them where the lower skin alone
            shows.
        exact: Set to `tag` where skins part. uint8, (rows, columns) of cells.

    Returns:
        Left, top, right, bottom of such cells, right <= left if there are none; and how many cells
        show the lower skin alone.
    """
    person, over, under = covers
    mesh = numbers_of(grid)
    stride = w + 2 * PAD
    left, top = box[0] & ~1, box[1] & ~1
    if grid[1]:
        lower[:, top : box[3] + 2, left : box[2] + 2] = UNSEEN
    first_x, first_y, stop_x, stop_y = kinds.shape[1], kinds.shape[0], 0, 0
    i, j = (grid[1] - 2) // 2, (grid[2] - 2) // 2
    alone_cells = 0
    for y in range(top, min(box[3], upper.shape[1] - 2), 2):
        for x in range(left, min(box[2], upper.shape[2] - 2), 2):
            own, opaque, none = 0, True, True
            near: Any = True
            u, v = np.int64(upper[0, y + 1, x + 1]), np.int64(upper[1, y + 1, x + 1])
            if u != UNSEEN and entry(over, stride, u, v) == SOLID and _is_near(upper, y, x, u, v):
                continue
            for row in range(y, y + 3):
                for column in range(x, x + 3):
                    if owner[row, column] != tag:
                        continue
                    own += 1
                    p, q = np.int64(upper[0, row, column]), np.int64(upper[1, row, column])
                    cover = entry(over, stride, p, q)
                    opaque = opaque and cover == SOLID
                    none = none and cover == CLEAR
                    near = near and abs(p - u) <= _NEAR and abs(q - v) <= _NEAR
            if own == 0 or (opaque and near):
                continue
            alone, agree = own == 9 and near, True
            for row in range(y, y + 3):
                if not alone:
                    break
                for column in range(x, x + 3):
                    p, q = np.int64(lower[0, row, column]), np.int64(lower[1, row, column])
                    if p == UNSEEN:
                        px, py = STEP * column, STEP * row
                        found, below, s, t = find_node(mesh, xy, px, py, w - 1, h - 1, i, j)
                        if found < 0:
                            alone = False
                            break
                        i, j, p, q = found, below, np.int64(s), np.int64(t)
                        lower[0, row, column], lower[1, row, column] = p, q
                    alone = alone and entry(under, stride, p, q) == SOLID
                    du, dv = p - upper[0, row, column], q - upper[1, row, column]
                    agree = agree and abs(du) <= _AGREE and abs(dv) <= _AGREE
            if alone and agree:
                continue
            for n in range(9):
                if alone:
                    break
                # Pixel by pixel, the lower skin is asked for wherever it can be had.
                row, column = y + n // 3, x + n % 3
                if lower[0, row, column] == UNSEEN:
                    px, py = STEP * column, STEP * row
                    found, below, s, t = find_node(mesh, xy, px, py, w - 1, h - 1, i, j)
                    if found >= 0:
                        i, j = found, below
                        lower[0, row, column], lower[1, row, column] = s, t
            if alone and none:
                cover = _cover(lower, person, stride, y, x)
                if cover != CLEAR:
                    kinds[y >> 1, x >> 1] = (tag << SHEET) | cover
                    alone_cells += 1
                    continue
            exact[y >> 1, x >> 1] = tag
            first_x, stop_x = min(first_x, x >> 1), max(stop_x, (x >> 1) + 1)
            first_y, stop_y = min(first_y, y >> 1), (y >> 1) + 1
    return first_x, first_y, stop_x, stop_y, alone_cells
