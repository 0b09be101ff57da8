"""Where the picture comes from, at nodes `STEP` pixels apart; between them it is interpolated.

Nodes hold texture coordinates, 16.16 fixed point, in two planes (u, v): int32, (2, rows, columns).
The map that they stand for is smooth wherever one sheet of skin lies; slits are drawn exactly.
"""

from __future__ import annotations

from math import ceil, floor
from typing import Final

import numpy as np
import numpy.typing as npt

from avatar_worker.compiling import Array, compiled, folded

Nodes = npt.NDArray[np.int32]

PAD: Final = 16
"""Pixels that textures are continued by on every side."""

UNSEEN: Final = -(1 << 31)
"""Stands in a node where no triangle lies."""

EDGE: Final = 1e-4
"""A node this many pixels outside a triangle still counts as inside."""

SMALLEST_AREA: Final = 1e-6
"""Twice the area of a triangle that is not drawn."""

STEP: Final = 4
"""Pixels from node to node."""

COARSE: Final = 8
"""Pixels from node to node where only the body's mesh lies."""


def coarse_nodes(width: int, height: int) -> Nodes:
    """Allocate nodes `COARSE` apart that enclose a picture."""
    return np.empty((2, _count(height), _count(width)), np.int32)


def fine_nodes(width: int, height: int) -> Nodes:
    """Allocate nodes `STEP` apart, two for each coarse one but the last."""
    return np.empty((2, 2 * _count(height) - 1, 2 * _count(width) - 1), np.int32)


def _count(size: int) -> int:
    return -(-(size - 1) // COARSE) + 1


@compiled
def trace(
    tri: Array,
    uv: Array,
    xy: Array,
    step: int,
    last_x: int,
    last_y: int,
    at: Array,
    owner: Array,
    tag: int,
) -> None:
    """Say for every node that a triangle covers which texture coordinate lies there.

    Coordinates far beyond the picture, which is as large as the texture, come nearer.

    Args:
        tri: Vertex indices. int32, (T, 3). Triangles that show their back are left out; later
            ones cover earlier ones.
        uv: Texture coordinates of vertices. float32, (V, 2).
        xy: Screen positions of vertices, integers at pixel centres. float32, (V, 2).
        step: Pixels from node to node.
        last_x: Pixel column at which nodes beyond it are asked. A slit's go on from there; the
            body's are moved by `extend`.
        last_y: Pixel row at which nodes beyond it are asked.
        at: Nodes.
        owner: Set to `tag` where a node was found. uint8, (rows, columns).
        tag: The slit's number; 0 for the body.
    """
    rows, columns = at.shape[1], at.shape[2]
    share = 1.0 / step
    most_u, most_v = (last_x + PAD - 1) << 16, (last_y + PAD - 1) << 16
    for t in range(tri.shape[0]):
        i, j, k = np.uintp(tri[t, 0]), np.uintp(tri[t, 1]), np.uintp(tri[t, 2])
        ax, ay = np.float64(xy[i, 0]), np.float64(xy[i, 1])
        bx, by = np.float64(xy[j, 0]), np.float64(xy[j, 1])
        cx, cy = np.float64(xy[k, 0]), np.float64(xy[k, 1])
        low_x, high_x = min(ax, bx, cx) - EDGE, max(ax, bx, cx) + EDGE
        low_y, high_y = min(ay, by, cy) - EDGE, max(ay, by, cy) + EDGE
        if not (high_x >= 0 and high_y >= 0 and low_x <= last_x and low_y <= last_y):
            continue
        left, top = ceil(max(low_x, 0.0) * share), ceil(max(low_y, 0.0) * share)
        right, bottom = floor(high_x * share), floor(high_y * share)
        # A node beyond the last pixel is asked there.
        if high_x >= last_x:
            right = columns - 1
        if high_y >= last_y:
            bottom = rows - 1
        if right < left or bottom < top:
            continue
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if not area > SMALLEST_AREA:
            continue
        slack = EDGE * max(high_x - low_x, high_y - low_y)
        scale = 65536.0 / area
        au, av = np.float64(uv[i, 0]), np.float64(uv[i, 1])
        bu, bv = np.float64(uv[j, 0]) - au, np.float64(uv[j, 1]) - av
        cu, cv = np.float64(uv[k, 0]) - au, np.float64(uv[k, 1]) - av
        for row in range(top, bottom + 1):
            y = min(step * row, last_y)
            for column in range(left, right + 1):
                x = min(step * column, last_x)
                of_b = (x - ax) * (cy - ay) - (y - ay) * (cx - ax)
                of_c = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
                if of_b >= -slack and of_c >= -slack and of_b + of_c <= area + slack:
                    u = au * 65536.0 + (of_b * bu + of_c * cu) * scale
                    v = av * 65536.0 + (of_b * bv + of_c * cv) * scale
                    if tag:
                        u += (step * column - x) * 65536.0
                        v += (step * row - y) * 65536.0
                    at[0, row, column] = int(min(max(u, -65536.0 * (PAD - 1)), most_u))
                    at[1, row, column] = int(min(max(v, -65536.0 * (PAD - 1)), most_v))
                    owner[row, column] = tag


@compiled
def extend(at: Array, last_x: int, last_y: int) -> None:
    """Continue coarse nodes beyond what triangles cover.

    The last column and row, asked at the last pixel, move to where they belong; each unseen node
    beside two that were seen goes on as they do.

    Args:
        at: Nodes, changed.
        last_x: The picture's last column.
        last_y: The picture's last row.
    """
    rows, columns = at.shape[1], at.shape[2]
    for p in range(2):
        least, most = -(PAD - 1) << 16, ((last_x if p == 0 else last_y) + PAD - 1) << 16
        short = last_x - COARSE * (columns - 2)
        for y in range(rows):
            before, asked = np.int64(at[p, y, columns - 2]), np.int64(at[p, y, columns - 1])
            if before != UNSEEN and asked != UNSEEN:
                value = before + (asked - before) * COARSE // short
                at[p, y, columns - 1] = min(max(value, least), most)
        short = last_y - COARSE * (rows - 2)
        for x in range(columns):
            before, asked = np.int64(at[p, rows - 2, x]), np.int64(at[p, rows - 1, x])
            if before != UNSEEN and asked != UNSEEN:
                value = before + (asked - before) * COARSE // short
                at[p, rows - 1, x] = min(max(value, least), most)
        if at[p].min() != UNSEEN:
            continue
        for y in range(rows):
            _extend_line(at[p, y], least, most)
        for x in range(columns):
            _extend_line(at[p, :, x], least, most)


@compiled
def _extend_line(line: Array, least: int, most: int) -> None:
    """Continue each run of seen nodes by one node at either end."""
    n = line.shape[0]
    for i in range(n - 2):
        if line[i] == UNSEEN and line[i + 1] != UNSEEN and line[i + 2] != UNSEEN:
            line[i] = min(max(2 * np.int64(line[i + 1]) - line[i + 2], least), most)
    # Downwards: what was just continued is not continued again.
    for i in range(n - 1, 1, -1):
        if line[i] == UNSEEN and line[i - 1] != UNSEEN and line[i - 2] != UNSEEN:
            line[i] = min(max(2 * np.int64(line[i - 1]) - line[i - 2], least), most)


@compiled
def refine(coarse: Array, fine: Array) -> None:
    """Put a node between each two; unseen beside an unseen one.

    Args:
        coarse: Nodes, (2, rows, columns).
        fine: Filled. Nodes, (2, 2 rows - 1, 2 columns - 1).
    """
    rows, columns = coarse.shape[1], coarse.shape[2]
    for p in range(2):
        for y in range(rows):
            line, out = coarse[p, y], fine[p, 2 * y]
            out[0] = line[0]
            for x in range(columns - 1):
                a, b = line[x], line[x + 1]
                middle = (a >> 1) + (b >> 1)
                out[2 * x + 1] = UNSEEN if a == UNSEEN or b == UNSEEN else middle
                out[2 * x + 2] = b
        for y in range(rows - 1):
            above, below, out = fine[p, 2 * y], fine[p, 2 * y + 2], fine[p, 2 * y + 1]
            for x in range(2 * columns - 1):
                a, b = above[x], below[x]
                middle = (a >> 1) + (b >> 1)
                out[x] = UNSEEN if a == UNSEEN or b == UNSEEN else middle


@folded
def nodes_of_cell(fine: Array, y: int, x: int, nine: Array) -> bool:
    """Copy the nodes of a cell of 8 x 8 pixels; an unseen one stands for its own place.

    Args:
        fine: Fine nodes.
        y: Row of the cell.
        x: Column of the cell.
        nine: Filled. int32, (2, 3, 3).

    Returns:
        Whether all were seen.
    """
    seen = True
    for row in range(3):
        for column in range(3):
            u, v = fine[0, 2 * y + row, 2 * x + column], fine[1, 2 * y + row, 2 * x + column]
            if u == UNSEEN:
                seen = False
                u = np.int32((2 * x + column) * (STEP << 16))
                v = np.int32((2 * y + row) * (STEP << 16))
            nine[0, row, column], nine[1, row, column] = u, v
    return seen
