"""A mesh that is a regular grid, asked for a row of nodes at a time.

Where a node lies is guessed from the two rows above, and the triangle there is solved for all nodes
of a row at once: what a loop does is the same for each, so that eight go together. The few that lie
in another triangle look for it (`walk.find`). Texture coordinates are right to 1/16384 pixel.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from avatar_worker.compiling import Array, compiled, folded

from .nodes import EDGE, PAD, SMALLEST_AREA, UNSEEN
from .walk import find_node, numbers_of

ASK_ALL: Final = np.zeros((0, 0), np.uint8)
"""An `away` that spares no node."""

_NONE: Final = np.int32(UNSEEN)
_ZERO: Final = np.float32(0)
_ONE: Final = np.float32(1)
_PER_PIXEL: Final = np.float32(1 << 16)
_MOST: Final = np.float32(1 << 20)


@compiled
def walk(
    grid: Array,
    xy: Array,
    step: int,
    last_x: int,
    last_y: int,
    at: Array,
    owner: Array,
    tag: int,
    away: Array,
) -> tuple[int, int, int, int]:
    """Fill in every node that lies in a mesh.

    Args:
        grid: The mesh, from `walk.grid_of`.
        xy: Screen positions of vertices. float32, (V, 2).
        step: Pixels from node to node.
        last_x: The picture's last column. The body's nodes beyond it are asked there, and
            `nodes.extend` moves them to where they belong; a slit's are by `walk.find_node`.
        last_y: The picture's last row; the same.
        at: Nodes. int32, (2, rows, columns).
        owner: Set to `tag` where a node was found. uint8, (rows, columns).
        tag: The slit's number; 0 for the body.
        away: From `textures.away_of`; a node that shows nothing of the person wherever the mesh has
            moved is not asked and stands for its own place. With no rows, all are asked.

    Returns:
        Left, top, right, bottom of the nodes that were asked.
    """
    mesh = numbers_of(grid)
    low_x, low_y, high_x, high_y = _extent(mesh, xy)
    left, top = max(low_x, 0) // step, max(low_y, 0) // step
    right = min(max(high_x, -1) // step + 2, at.shape[2])
    bottom = min(max(high_y, -1) // step + 2, at.shape[1])
    # Cells end beyond the last pixel: where a mesh reaches that, so do its nodes.
    right = at.shape[2] if high_x >= last_x else right
    bottom = at.shape[1] if high_y >= last_y else bottom
    end_x, end_y = step * at.shape[2] if tag else last_x, step * at.shape[1] if tag else last_y
    spares = away.shape[0] != 0
    reach = _farthest(mesh, xy) + step + 2 if spares else 0
    count = max(right - left, 0)
    guesses, corners = np.empty((2, count), np.int32), np.empty((8, count), np.float32)
    found, mark = np.empty((2, count), np.int32), np.uint8(tag)
    for row in range(top, bottom):
        y = min(row * step, end_y)
        first, stop = left, right
        if spares:
            while first < stop and away[row, first] > reach:
                at[0, row, first], at[1, row, first] = min(first * step, end_x) << 16, y << 16
                first += 1
            while first < stop and away[row, stop - 1] > reach:
                stop -= 1
                at[0, row, stop], at[1, row, stop] = min(stop * step, end_x) << 16, y << 16
        _guess(mesh, at, row, row - top > 1, y, first, stop, step, guesses, corners)
        _gather(mesh, xy, guesses, stop - first, corners)
        _solve(mesh, guesses, corners, y, first, stop, step, end_x, last_x, last_y, found)
        u_line, v_line, owners = at[0, row, first:], at[1, row, first:], owner[row, first:]
        for n in range(np.uintp(max(stop - first, 0))):
            if found[0, n] != _NONE:
                u_line[n], v_line[n], owners[n] = found[0, n], found[1, n], mark
                continue
            x = min((first + np.int64(n)) * step, end_x)
            if spares and away[row, first + np.int64(n)] > reach:
                u_line[n], v_line[n] = x << 16, y << 16
                continue
            corner = guesses[0, n] - mesh[0]
            i, j = corner % mesh[1], corner // mesh[1]
            i, j, u, v = find_node(mesh, xy, x, y, last_x, last_y, i, j)
            if i >= 0:
                u_line[n], v_line[n], owners[n] = u, v, mark
    return left, top, right, bottom


@folded
def _guess(
    mesh: Any,
    at: Array,
    row: int,
    follows: bool,
    y: int,
    first: int,
    stop: int,
    step: int,
    guesses: Array,
    corners: Array,
) -> None:
    """Say in which triangle every node of a row lies if the mesh goes on as in the rows above.

    `guesses` gets the first corner of its cell and the corner off the diagonal, as vertices;
    `corners`, of eight, in its first two where the former lies in the texture.
    """
    start, cols = np.int32(mesh[0]), np.int32(mesh[1])
    most_i, most_j = np.int32(mesh[1] - 2), np.int32(mesh[2] - 2)
    left, top, cell = np.float32(mesh[4]), np.float32(mesh[5]), np.float32(mesh[3])
    share = _ONE / cell
    back = 1 if follows else 0
    u_far, u_near = at[0, row - 2 * back, first:], at[0, row - back, first:]
    v_far, v_near = at[1, row - 2 * back, first:], at[1, row - back, first:]
    corner, aside, u_corner, v_corner = guesses[0], guesses[1], corners[0], corners[1]
    own_x, own_y, wide = np.float32(first * step), np.float32(y), np.int32(step)
    for n in range(np.uintp(max(stop - first, 0))):
        known = follows & (u_far[n] != _NONE) & (u_near[n] != _NONE)
        u = np.float32(u_near[n]) + (np.float32(u_near[n]) - np.float32(u_far[n]))
        v = np.float32(v_near[n]) + (np.float32(v_near[n]) - np.float32(v_far[n]))
        u = u * (_ONE / _PER_PIXEL) if known else own_x + np.float32(np.int32(n) * wide)
        v = v * (_ONE / _PER_PIXEL) if known else own_y
        across, down = (u - left) * share, (v - top) * share
        i, j = (
            np.int32(across if across > _ZERO else _ZERO),
            np.int32(down if down > _ZERO else _ZERO),
        )
        i = i if i < most_i else most_i
        j = j if j < most_j else most_j
        right = across - np.float32(i) > down - np.float32(j)
        corner[n] = start + j * cols + i
        aside[n] = start + j * cols + i + (np.int32(1) if right else cols)
        u_corner[n], v_corner[n] = left + cell * np.float32(i), top + cell * np.float32(j)


@folded
def _gather(mesh: Any, xy: Array, guesses: Array, count: int, corners: Array) -> None:
    """Lay the corners of the guessed triangles side by side, behind the first two lines: x, y."""
    flat, across = xy.reshape(xy.size), np.uintp(mesh[1] + 1)
    ax, ay, mx, my = corners[2], corners[3], corners[4], corners[5]
    cx, cy = corners[6], corners[7]
    corner, aside = guesses[0], guesses[1]
    for n in range(np.uintp(max(count, 0))):
        a, m = np.uintp(corner[n]), np.uintp(aside[n])
        c = a + across
        ax[n], ay[n] = flat[a + a], flat[a + a + np.uintp(1)]
        mx[n], my[n] = flat[m + m], flat[m + m + np.uintp(1)]
        cx[n], cy[n] = flat[c + c], flat[c + c + np.uintp(1)]


@folded
def _solve(
    mesh: Any,
    guesses: Array,
    corners: Array,
    y: int,
    first: int,
    stop: int,
    step: int,
    end_x: int,
    last_x: int,
    last_y: int,
    found: Array,
) -> None:
    """Say where every node of a row lies in its triangle; u is `UNSEEN` where it does not."""
    cell = np.float32(mesh[3])
    slack, small = np.float32(EDGE) * cell, np.float32(SMALLEST_AREA)
    least, most_u = np.float32(1 - PAD), np.float32(last_x + PAD - 1)
    most_v = np.float32(last_y + PAD - 1)
    ax, ay, mx, my = corners[2], corners[3], corners[4], corners[5]
    cx, cy = corners[6], corners[7]
    corner, aside, u_found, v_found = guesses[0], guesses[1], found[0], found[1]
    u_corner, v_corner = corners[0], corners[1]
    own_x, own_y, wide, last = (
        np.int32(first * step),
        np.float32(y),
        np.int32(step),
        np.int32(end_x),
    )
    for n in range(np.uintp(max(stop - first, 0))):
        x = own_x + np.int32(n) * wide
        x = x if x < last else last
        px, py = np.float32(x) - ax[n], own_y - ay[n]
        right = aside[n] - corner[n] == np.int32(1)
        sign = _ONE if right else -_ONE
        dx, dy = cx[n] - ax[n], cy[n] - ay[n]
        ex, ey = sign * (mx[n] - ax[n]), sign * (my[n] - ay[n])
        area, of_c, of_m = ex * dy - ey * dx, ex * py - ey * px, sign * (px * dy - py * dx)
        rest = area - of_c - of_m
        lowest = of_c if of_c < of_m else of_m
        lowest = lowest if lowest < rest else rest
        inside = (lowest >= -slack) & (area > small)
        scale = cell / (area if area > small else small)
        along, both = of_c * scale, (of_c + of_m) * scale
        u = u_corner[n] + (both if right else along)
        v = v_corner[n] + (along if right else both)
        u = u if u > least else least
        v = v if v > least else least
        u, v = u if u < most_u else most_u, v if v < most_v else most_v
        u_found[n] = np.int32(u * _PER_PIXEL) if inside else _NONE
        v_found[n] = np.int32(v * _PER_PIXEL)


@folded
def _extent(mesh: Any, xy: Array) -> tuple[Any, Any, Any, Any]:
    """Left, top, right, bottom of a mesh on the screen, whole pixels towards 0."""
    flat = xy.reshape(xy.size)[2 * mesh[0] :]
    left = top = np.int32(1 << 30)
    right = bottom = np.int32(-(1 << 30))
    for n in range(np.uintp(mesh[1] * mesh[2])):
        # Of whole numbers the least is no question of NaN, which would be asked one by one.
        x, y = _whole(flat[n + n]), _whole(flat[n + n + np.uintp(1)])
        left, right = min(left, x), max(right, x)
        top, bottom = min(top, y), max(bottom, y)
    return np.int64(left), np.int64(top), np.int64(right), np.int64(bottom)


@folded
def _farthest(mesh: Any, xy: Array) -> Any:
    """How far any vertex has moved to a side, at most; whole pixels."""
    flat, farthest = xy.reshape(xy.size), np.int32(0)
    for j in range(mesh[2]):
        line = flat[2 * (mesh[0] + j * mesh[1]) :]
        x0, y0 = np.int32(mesh[4]), np.float32(mesh[5] + j * mesh[3])
        for n in range(np.uintp(mesh[1])):
            x = line[n + n] - np.float32(x0 + np.int32(n) * np.int32(mesh[3]))
            y = line[n + n + np.uintp(1)] - y0
            farthest = max(farthest, _whole(abs(x)))
            farthest = max(farthest, _whole(abs(y)))
    return np.int64(farthest) + 1


@folded
def _whole(value: Any) -> Any:
    """A coordinate towards 0; what is not a number, or too large, becomes a large one."""
    value = value if value > -_MOST else -_MOST
    return np.int32(value if value < _MOST else _MOST)
