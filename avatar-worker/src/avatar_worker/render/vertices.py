"""Where every vertex lies on the screen, for shape weights and a head pose.

All meshes and layers lie in one array, so that one pass of NumPy places them all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from avatar_worker.avatars import Avatar, Mesh
from avatar_worker.frames import HeadPose

Floats = npt.NDArray[np.float32]

FARTHEST = 16_384.0
"""Vertices stay within this many pixels, so that a raster cannot overflow."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One layer of one mesh among all vertices.

    Attributes:
        mesh: The mesh.
        layer: `skin`, `upper`, `lower`, or `inner`, which only follows the head.
        start: Its first vertex.
        stop: One past its last vertex.
    """

    mesh: Mesh
    layer: str
    start: int
    stop: int


class VertexField:
    """Places the vertices of an avatar. Immutable, shared by sessions."""

    def __init__(self, avatar: Avatar) -> None:
        """Lay out the sheets: body first, then upper, lower and inner of every slit's mesh.

        Raises:
            ValueError: If a triangle names a vertex that does not exist.
        """
        shapes = avatar.rig.shapes
        sheets: list[Sheet] = []
        deltas: list[Floats] = []
        start = 0
        for mesh in avatar.rig.meshes:
            count = len(mesh.xy)
            if mesh.tri.size and not 0 <= int(mesh.tri.min()) <= int(mesh.tri.max()) < count:
                raise ValueError(f"a triangle of the mesh {mesh.name!r} lacks a vertex")
            layers = mesh.layers if len(mesh.layers) == 1 else (*mesh.layers, "inner")
            for i, layer in enumerate(layers):
                sheets.append(Sheet(mesh, layer, start, start + count))
                start += count
                moved = mesh.delta[i] if layer != "inner" else np.zeros_like(mesh.delta[0])
                deltas.append(moved.astype(np.float32).reshape(len(shapes), 2 * count))
        self.sheets = tuple(sheets)
        self._delta = np.ascontiguousarray(np.concatenate(deltas, axis=1))
        self._spans = [_span(row) for row in self._delta]

        rest = np.concatenate([s.mesh.xy for s in sheets]).astype(np.float32)
        depth = np.concatenate([s.mesh.depth for s in sheets]).astype(np.float32)
        pivot = np.array(avatar.subject.neck_pivot_px, np.float32)
        self._rest = np.ascontiguousarray(rest.reshape(-1))
        self._pivot = pivot
        self._z = depth - pivot[2]
        self._follow = np.concatenate([s.mesh.pose_weight for s in sheets]).astype(np.float32)
        self._focal = float(avatar.subject.focal_px)
        self._unit = float(avatar.subject.iod_px)
        self._edges = [
            (axis, np.flatnonzero(rest[:, axis] <= 0), np.flatnonzero(rest[:, axis] >= size), size)
            for axis, size in ((0, avatar.canvas.width - 1.0), (1, avatar.canvas.height - 1.0))
        ]

    def place(self, weights: npt.NDArray[np.float32], head: HeadPose) -> Floats:
        """Return screen positions in canvas pixels, integers at pixel centres. float32, (N, 2).

        Args:
            weights: Shape weights, (K,).
            head: A pose within the avatar's limits.
        """
        flat = self._rest.copy()
        for k in np.flatnonzero(weights):
            start, stop = self._spans[k]
            flat[start:stop] += weights[k] * self._delta[k, start:stop]
        placed = flat.reshape(-1, 2)
        self._turn(placed, head)
        np.clip(placed, -FARTHEST, FARTHEST, out=placed)
        for axis, low, high, limit in self._edges:
            # The picture never ends inside the frame: its border only moves outwards.
            placed[low, axis] = np.minimum(placed[low, axis], 0.0)
            placed[high, axis] = np.maximum(placed[high, axis], limit)
        return placed

    def of(self, placed: Floats, sheet: Sheet) -> Floats:
        """Return the part of `placed` that belongs to a sheet. A view, (V, 2)."""
        return placed[sheet.start : sheet.stop]

    def _turn(self, placed: Floats, head: HeadPose) -> None:
        """Turn about the neck: Rz(roll) Rx(pitch) Ry(yaw), perspective, faded into the body.

        The perspective is relative to each vertex's own depth, so no turn is the identity.
        """
        if head == HeadPose():
            return
        cy, sy = _cos_sin(head.yaw)
        cp, sp = _cos_sin(head.pitch)
        cr, sr = _cos_sin(head.roll)
        x = placed[:, 0] - self._pivot[0]
        y = placed[:, 1] - self._pivot[1]
        z = self._z
        x1 = cy * x - sy * z
        z1 = sy * x + cy * z
        y1 = cp * y - sp * z1
        z2 = sp * y + cp * z1
        near = self._focal / np.maximum(self._focal + z2 - z, 0.1 * self._focal)
        turned_x = (cr * x1 - sr * y1) * near + np.float32(head.x * self._unit)
        turned_y = (sr * x1 + cr * y1) * near + np.float32(head.y * self._unit)
        placed[:, 0] += self._follow * (turned_x - x)
        placed[:, 1] += self._follow * (turned_y - y)


def _span(row: Floats) -> tuple[int, int]:
    """The part of a shape's displacements outside which all are 0."""
    moved = np.flatnonzero(row)
    return (int(moved[0]), int(moved[-1]) + 1) if len(moved) else (0, 0)


def _cos_sin(degrees: float) -> tuple[float, float]:
    angle = math.radians(degrees)
    return math.cos(angle), math.sin(angle)
