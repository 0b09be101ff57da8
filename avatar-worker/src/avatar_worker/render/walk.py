"""Where a point of the screen lies in a mesh that is a regular grid, found from a place nearby.

A general mesh is traced triangle by triangle (`nodes.trace`). Meshes that avatars are built with
are grids, so the way to a point leads over a few triangles from one where it nearly lies.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from avatar_worker.compiling import Array, folded

from .nodes import EDGE, PAD, SMALLEST_AREA
from .vertices import Sheet

Grid = npt.NDArray[np.int64]
"""First vertex, columns, rows, pixels of a cell, x and y of the first vertex at rest. (6,)."""

NO_GRID: Final[Grid] = np.zeros(6, np.int64)
"""A grid in which nothing is found."""


def grid_of(sheet: Sheet) -> Grid | None:
    """Describe a sheet whose mesh is a regular grid of squares, each cut from its first corner.

    Returns:
        None if the mesh is anything else.
    """
    mesh, cell = sheet.mesh, sheet.mesh.cell_px
    columns = int(np.count_nonzero(mesh.xy[:, 1] == mesh.xy[0, 1]))
    rows = len(mesh.xy) // columns
    if min(columns, rows) < 2 or columns * rows != len(mesh.xy):
        return None
    y, x = np.mgrid[:rows, :columns] * cell
    first = mesh.xy[0]
    if not np.array_equal(mesh.xy, np.stack([x, y], -1).reshape(-1, 2) + first):
        return None
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    across = np.stack([corner, corner + 1, corner + columns + 1], -1)
    down = np.stack([corner, corner + columns + 1, corner + columns], -1)
    expected = np.concatenate([across, down])
    found = mesh.tri[np.lexsort(mesh.tri.T)]
    if found.shape != expected.shape:
        return None
    if not np.array_equal(found, expected[np.lexsort(expected.T)]) or (first % 1).any():
        return None
    return np.array([sheet.start, columns, rows, cell, *first], np.int64)


@folded
def numbers_of(grid: Array) -> tuple[Any, ...]:
    """The numbers of a grid as a tuple, which a compiled loop keeps in registers."""
    return grid[0], grid[1], grid[2], grid[3], grid[4], grid[5]


@folded
def find(
    grid: Any, xy: Array, px: float, py: float, i: int, j: int
) -> tuple[int, int, float, float]:
    """Walk from a cell to the triangle over a point of the screen.

    Args:
        grid: The mesh, better as `numbers_of` says: what is stored meanwhile might change an array.
        xy: Screen positions of vertices. float32, (V, 2).
        px: The point's column.
        py: The point's row.
        i: Column of the cell to start from.
        j: Row of the cell to start from.

    Returns:
        Column and row of its cell, and its texture coordinate. The column is -1 if the way
        leaves the mesh.
    """
    start, columns, rows = grid[0], grid[1], grid[2]
    slack = EDGE * np.float64(grid[3])
    cell, left, top = np.float64(grid[3]), np.float64(grid[4]), np.float64(grid[5])
    # Twice the way from corner to corner: after that it leads in circles.
    for _ in range(4 * (columns + rows)):
        if i < 0 or j < 0 or i > columns - 2 or j > rows - 2:
            break
        a = np.uintp(start + j * columns + i)
        c = a + np.uintp(columns + 1)
        ax, ay = np.float64(xy[a, 0]), np.float64(xy[a, 1])
        cx, cy = np.float64(xy[c, 0]) - ax, np.float64(xy[c, 1]) - ay
        x, y = px - ax, py - ay
        side = cx * y - cy * x
        if side <= 0:
            b = a + np.uintp(1)
            bx, by = np.float64(xy[b, 0]) - ax, np.float64(xy[b, 1]) - ay
            area, of_c = bx * cy - by * cx, bx * y - by * x
            if of_c < -slack:
                j -= 1
            elif of_c - side > area + slack:
                i += 1
            elif area > SMALLEST_AREA:
                u = left + cell * (i + (of_c - side) / area)
                return i, j, u, top + cell * (j + of_c / area)
            else:
                break
        else:
            d = a + np.uintp(columns)
            dx, dy = np.float64(xy[d, 0]) - ax, np.float64(xy[d, 1]) - ay
            area, of_c = cx * dy - cy * dx, x * dy - y * dx
            if of_c < -slack:
                i -= 1
            elif of_c + side > area + slack:
                j += 1
            elif area > SMALLEST_AREA:
                u = left + cell * (i + of_c / area)
                return i, j, u, top + cell * (j + (of_c + side) / area)
            else:
                break
    return -1, -1, 0.0, 0.0


@folded
def find_node(
    grid: Any, xy: Array, px: int, py: int, last_x: int, last_y: int, i: int, j: int
) -> tuple[int, int, int, int]:
    """As `find`, of a node that may lie beyond the picture, in 16.16 fixed point.

    A mesh that ends before it goes on as at the picture's last pixel, shifted.
    """
    x, y = px, py
    # One call in a loop: what is folded costs time to compile wherever it stands.
    for _ in range(2):
        column, row, u, v = find(grid, xy, np.float64(x), np.float64(y), i, j)
        if column >= 0 or (x <= last_x and y <= last_y):
            break
        x, y = min(px, last_x), min(py, last_y)
    return column, row, fixed(u + (px - x), last_x), fixed(v + (py - y), last_y)


@folded
def fixed(value: float, last: int) -> int:
    """A texture coordinate in 16.16 fixed point, no farther off than textures are padded."""
    return int(65536.0 * min(max(value, 1.0 - PAD), last + PAD - 1.0))
