"""What shows through a slit: an interior under two skins that slide apart.

The person has been drawn with the upper skin. Cells where something shows through it are painted
aside, back to front, and their picture shines through where the upper skin does not cover.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from avatar_worker.compiling import Array, compiled, folded

from .cells import CLEAR, MIXED, SOLID, cover_of
from .covering import add_above, cover_upper
from .laying import lay_cell, lay_mask
from .nodes import PAD, STEP, UNSEEN, nodes_of_cell
from .tiles import CELL, LIGHT_BITS, TILE, blend, copy_cell, darken, own_place, take_quarters
from .walk import find_node, numbers_of


@compiled
def draw_slit(
    box: tuple[int, int, int, int],
    tag: int,
    marks: tuple[Array, Array, Array],
    nodes: tuple[Array, Array, Array],
    grid: Array,
    xy: Array,
    masks: tuple[Array, Array],
    covers: tuple[Array, Array, Array],
    skin: tuple[Array, Array, Array],
    plate: Array,
    parts: tuple[Array, Array, Array],
    table: Array,
    shading: tuple[int, int, int],
    size: tuple[int, int],
    scratch: Array,
    out: Array,
) -> None:
    """Draw the cells of a slit where its skins part.

    Args:
        box: Left, top, right, bottom of cells.
        tag: The slit's mark.
        marks: Where skins part, changed; what the other cells were drawn from: uint8, (rows,
            columns) of cells; which slit each fine node belongs to: uint8.
        nodes: Fine nodes of the upper skin, of the lower one, and of what only follows the head.
        grid: The mesh of the latter; its nodes are filled in unless it is `NO_GRID`.
        xy: Screen positions of vertices. float32, (V, 2).
        masks: From `textures.taps_of`: cover by the upper and by the lower skin.
        covers: From `textures.covers_of`: of the person, and by the upper and the lower skin.
        skin: The person's luma, chroma and alpha, from `textures`.
        plate: The background. I420.
        parts: Luma, chroma and alpha of the interior's textures, one after the other.
        table: Base, width, height, the fixed-point texture position of the first pixel (x, y), and
            whether it is opaque, of every one, back to front. int64, (parts, 6).
        shading: Darkening in 1/256 under full cover; rows that cast the shadow; luma of black.
        size: Width and height of the picture.
        scratch: int32, (2, pixels of all cells).
        out: I420, holding the person.
    """
    exact, kinds, owner = marks
    upper, lower, inner = nodes
    rows, columns = CELL * (box[3] - box[1]), CELL * (box[2] - box[0])
    over = scratch[0, : rows * columns].reshape(rows, columns)
    shade = scratch[1, : rows * columns].reshape(rows, columns)
    w, h = size
    cover_upper(box, tag, exact, kinds, owner, upper, lower, masks[0], covers[1], w, over)
    add_above(over, shading[1], shade)
    if grid[1]:
        find_inner(box, tag, exact, grid, xy, w, h, inner)
    under = (skin[0], skin[1], masks[1])
    lines = scratch[0, : rows * columns], scratch[1, : rows * columns]
    shades = shading[0], shading[1], shading[2]
    _draw_cells(
        box, tag, exact, kinds, nodes, lines, covers[2], under, skin[2], plate, parts, table,
        shades, size, out,
    )  # fmt: skip


@compiled
def find_inner(
    box: tuple[int, int, int, int],
    tag: int,
    exact: Array,
    grid: Array,
    xy: Array,
    w: int,
    h: int,
    inner: Array,
) -> None:
    """Fill in the nodes of what only follows the head, around the cells where skins part.

    Args:
        box: Left, top, right, bottom of these cells.
        tag: The slit's mark.
        exact: Which cells these are. uint8, (rows, columns).
        grid: The mesh.
        xy: Screen positions of vertices. float32, (V, 2).
        w: The picture's width.
        h: The picture's height.
        inner: Fine nodes.
    """
    mesh = numbers_of(grid)
    inner[:, 2 * box[1] : 2 * box[3] + 1, 2 * box[0] : 2 * box[2] + 1] = UNSEEN
    i, j = (grid[1] - 2) // 2, (grid[2] - 2) // 2
    for y in range(box[1], box[3]):
        for x in range(box[0], box[2]):
            if exact[y, x] != tag:
                continue
            for n in range(9):
                row, column = 2 * y + n // 3, 2 * x + n % 3
                if inner[0, row, column] != UNSEEN:
                    continue
                px, py = STEP * column, STEP * row
                found, below, u, v = find_node(mesh, xy, px, py, w - 1, h - 1, i, j)
                if found >= 0:
                    i, j = found, below
                    inner[0, row, column], inner[1, row, column] = u, v


@compiled
def _draw_cells(
    box: tuple[int, int, int, int],
    tag: int,
    exact: Array,
    kinds: Array,
    nodes: tuple[Array, Array, Array],
    lines: tuple[Array, Array],
    covers: Array,
    lower: tuple[Array, Array, Array],
    alpha: Array,
    plate: Array,
    parts: tuple[Array, Array, Array],
    table: Array,
    shading: tuple[int, int, int],
    size: tuple[int, int],
    out: Array,
) -> None:
    """As `draw_slit`, once the cover by the upper skin and the inner nodes are known."""
    over, shade = lines
    w, h = size
    stride, pitch, count = w + 2 * PAD, CELL * (box[2] - box[0]), table.shape[0]
    per_cover = (shading[0] << (LIGHT_BITS + 8)) // (255 * shading[1])
    black = shading[2]
    tile, aside, back = np.empty(TILE, np.uint8), np.empty(TILE, np.uint8), np.empty(TILE, np.uint8)
    soft = np.empty(CELL * CELL, np.int32)
    within, local = np.empty((2, 3, 3), np.int32), np.empty((2, 3, 3), np.int32)
    for y in range(box[1], box[3]):
        for x in range(box[0], box[2]):
            if exact[y, x] != tag:
                continue
            start = CELL * (y - box[1]) * pitch + CELL * (x - box[0])
            bare = 0 if nodes_of_cell(nodes[2], y, x, within) else _bare(nodes[2], y, x)
            nodes_of_cell(nodes[1], y, x, local)
            # Without interior the lower skin is alone.
            cover = SOLID if bare == 15 else cover_of(local, covers, stride)
            if cover != SOLID:
                tile[: CELL * CELL] = black
                tile[CELL * CELL :] = 128
            into = tile
            for k in range(count if cover == SOLID else 0, count + 2):
                if k < count:
                    opaque = table[k, 5] != 0
                    if not _lies_on(within, table, k, local) and not opaque:
                        continue
                    textures, base, step = parts, table[k, 0], table[k, 1] + 2 * PAD
                    mixed = not opaque
                elif k == count:
                    if cover != SOLID:
                        darken(tile, black, shade, start, pitch, per_cover)
                    if cover == CLEAR:
                        continue
                    nodes_of_cell(nodes[1], y, x, local)
                    textures, base, step, mixed = lower, np.int64(0), stride, cover == MIXED
                else:
                    if bare == 0 or cover == SOLID:
                        break
                    nodes_of_cell(nodes[1], y, x, local)
                    textures, base, step, mixed = lower, np.int64(0), stride, False
                    into = aside
                lay_cell(local, 0, 0, textures, base, step, mixed, tile, own_place(), into)
            if bare != 0 and cover != SOLID:
                take_quarters(aside, bare, tile)
            at, blue, to_red = 8 * y * w + 8 * x, w * h + 4 * y * (w >> 1) + 4 * x, w * h >> 2
            whole = 8 * x + 8 <= w and 8 * y + 8 <= h
            wide, high = min(8, w - 8 * x), min(8, h - 8 * y)
            if kinds[y, x] & SOLID == 0:
                # The background shows through the person: it does through the interior as well.
                nodes_of_cell(nodes[0], y, x, local)
                lay_mask(local, alpha, stride, soft, 0, CELL)
                copy_cell(plate, at, w, blue, to_red, back, 0, 8, 64, 16, wide, high)
                blend(back, own_place(), tile, own_place(), soft, 0, CELL, tile)
            place = np.uintp(at), np.uintp(w), np.uintp(blue), np.uintp(to_red)
            if whole:
                blend(tile, own_place(), out, place, over, start, pitch, out)
                continue
            copy_cell(out, at, w, blue, to_red, aside, 0, 8, 64, 16, wide, high)
            blend(tile, own_place(), aside, own_place(), over, start, pitch, aside)
            copy_cell(aside, 0, 8, 64, 16, out, at, w, blue, to_red, wide, high)


@folded
def _bare(inner: Array, y: int, x: int) -> int:
    """Which quarters of a cell lack a node. Bits from 1, row by row."""
    bare = 0
    for n in range(4):
        row, column = 2 * y + (n >> 1), 2 * x + (n & 1)
        for i in range(row, row + 2):
            for j in range(column, column + 2):
                if inner[0, i, j] == UNSEEN:
                    bare |= 1 << n
    return bare


@folded
def _lies_on(within: Array, table: Array, k: int, local: Array) -> Any:
    """Bring a cell's nodes to a part's texture; say whether the cell lies on it at all."""
    on: Any = True
    for p in range(2):
        last = table[k, 1 + p] - 1
        least, most = np.int64(1 - PAD) << 16, (last + PAD - 1) << 16
        low, high = most, least
        for row in range(3):
            for column in range(3):
                value = np.int64(within[p, row, column]) - table[k, 3 + p]
                value = min(max(value, least), most)
                low, high = min(low, value), max(high, value)
                local[p, row, column] = value
        on = on and high > 0 and low < last << 16
    return on
