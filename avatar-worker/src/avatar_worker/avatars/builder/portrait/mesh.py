"""Regular grids over the texture plane and what hangs on their vertices."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from avatar_worker.avatars.avatar import Mesh

from .depth import Depth
from .measures import EYES, Measures
from .shapes import displacements
from .slit import Array

RING_CELLS = 3
"""Over so many cells a slit's mesh passes into the body's, so that no seam shows."""


def build_meshes(m: Measures, depth: Depth, width: int, height: int) -> tuple[Mesh, ...]:
    """Return the body's mesh, the mouth's, the left eye's and the right eye's.

    Args:
        m: The face.
        depth: How far everything is from the camera.
        width: The canvas's.
        height: The canvas's.
    """
    fine = max(4, round(0.05 * m.u))
    coarse = 2 * fine
    whole = (0, 0, -(-width // coarse) * coarse, -(-height // coarse) * coarse)
    body = _Grid(whole, coarse)
    body_delta = displacements(m, body.xy, None, height)
    meshes = [_mesh("body", body, depth, body_delta, ("skin",))]
    hw, u = m.mouth.half_width, m.u
    beside = 1.9 * hw + 0.25 * u
    boxes = {"mouth": _around(m.mouth.centre, beside, hw + 0.35 * u, 1.2 * hw + 0.85 * u)}
    for side in EYES:
        eye = m.eyes[side]
        beside = 1.8 * eye.half_width + 0.2 * u
        boxes[f"eye_{side}"] = _around(eye.centre, beside, 0.45 * u, 0.48 * u)
    for name, box in boxes.items():
        grid = _Grid(_snapped(box, coarse, whole), fine)
        delta = displacements(m, grid.xy, name, height)
        below = body.at(np.moveaxis(body_delta[0], 0, 1).reshape(len(body.xy), -1), grid.xy)
        below = np.moveaxis(below.reshape(len(grid.xy), -1, 2), 1, 0)
        own = grid.ring(RING_CELLS, whole)[:, None]
        meshes.append(
            _mesh(name, grid, depth, below + own * (delta - below), ("upper", "lower"), body)
        )
    return tuple(meshes)


class _Grid:
    """Vertices row by row over a box (left, top, right, bottom) of whole cells."""

    def __init__(self, box: tuple[int, int, int, int], cell: int) -> None:
        self.box, self.cell = box, cell
        left, top, right, bottom = box
        self.columns = (right - left) // cell + 1
        self.rows = (bottom - top) // cell + 1
        y, x = np.mgrid[0 : self.rows, 0 : self.columns]
        self.xy: Array = np.stack([x * cell + left, y * cell + top], -1).reshape(-1, 2) * 1.0

    def triangles(self) -> npt.NDArray[np.int32]:
        """Two for each cell, both split along the same diagonal, positive area."""
        y, x = np.mgrid[0 : self.rows - 1, 0 : self.columns - 1]
        a = (y * self.columns + x).ravel()
        b, c, d = a + 1, a + self.columns + 1, a + self.columns
        return np.stack([a, b, c, a, c, d], -1).reshape(-1, 3).astype(np.int32)

    def at(self, values: Array, xy: Array) -> Array:
        """Interpolate the values of the vertices (V, n) at points inside the box."""
        left, top, _, _ = self.box
        column, row = (xy[:, 0] - left) / self.cell, (xy[:, 1] - top) / self.cell
        i = np.clip(column.astype(int), 0, self.columns - 2)
        j = np.clip(row.astype(int), 0, self.rows - 2)
        fx, fy = (column - i)[:, None], (row - j)[:, None]
        a = j * self.columns + i
        upper = values[a] * (1 - fx) + values[a + 1] * fx
        a = a + self.columns
        lower = values[a] * (1 - fx) + values[a + 1] * fx
        return np.asarray(upper * (1 - fy) + lower * fy)

    def ring(self, cells: int, whole: tuple[int, int, int, int]) -> Array:
        """0 on the box's sides, 1 from `cells` inwards; a side on the canvas's edge is none."""
        left, top, right, bottom = self.box
        x, y = self.xy[:, 0], self.xy[:, 1]
        far = np.full(len(x), np.inf)
        for side, edge, distance in (
            (left, whole[0], x - left), (top, whole[1], y - top),
            (right, whole[2], right - x), (bottom, whole[3], bottom - y),
        ):  # fmt: skip
            far = np.minimum(far, distance) if side != edge else far
        return np.clip(far / (cells * self.cell), 0, 1)


def _mesh(
    name: str,
    grid: _Grid,
    depth: Depth,
    delta: Array,
    layers: tuple[str, ...],
    body: _Grid | None = None,
) -> Mesh:
    z, weight = depth.at(grid.xy), depth.pose_weight(grid.xy)
    if body is not None:
        ends = np.stack([depth.at(body.xy), depth.pose_weight(body.xy)], -1)
        below = body.at(ends, grid.xy)
        own = grid.ring(RING_CELLS, body.box)
        z = below[:, 0] + own * (z - below[:, 0])
        weight = below[:, 1] + own * (weight - below[:, 1])
    return Mesh(
        name=name,
        cell_px=grid.cell,
        origin=(grid.box[0], grid.box[1]),
        layers=layers,
        xy=grid.xy.astype(np.float32),
        depth=z.astype(np.float32),
        tri=grid.triangles(),
        delta=delta.astype(np.float16),
        pose_weight=np.clip(weight, 0, 1).astype(np.float32),
    )


def _around(centre: Array, beside: float, above: float, below: float) -> tuple[float, ...]:
    x, y = float(centre[0]), float(centre[1])
    return x - beside, y - above, x + beside, y + below


def _snapped(
    box: tuple[float, ...], cell: int, whole: tuple[int, int, int, int]
) -> tuple[int, int, int, int]:
    """Onto the body's grid, outwards, inside the canvas."""
    left, top = (max(0, int(v // cell) * cell) for v in box[:2])
    right, bottom = (
        min(edge, -int(-v // cell) * cell) for v, edge in zip(box[2:], whole[2:], strict=True)
    )
    return left, top, right, bottom
