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
    """Places the vertices of an avatar. Immutable, shared by sessions.

    Attributes:
        sheets: The layers of all meshes, in the order of the vertices.
        rest: Positions at rest, which are the texture coordinates. float32, (N, 2).
        delta: Displacement at weight 1 of every shape. float32, (K, 2 N).
        z: Depth from the neck's pivot. float32, (N,).
        follow: How much a vertex follows the head, [0, 1]. float32, (N,).
        edges: Vertices on the picture's left, top, right and bottom border.
        last: The last column and row. float32, (2,).
    """

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
        self.delta: Floats = np.ascontiguousarray(np.concatenate(deltas, axis=1))
        self._spans = [_span(row) for row in self.delta]

        rest = np.concatenate([s.mesh.xy for s in sheets]).astype(np.float32)
        depth = np.concatenate([s.mesh.depth for s in sheets]).astype(np.float32)
        pivot = np.array(avatar.subject.neck_pivot_px, np.float32)
        self.rest: Floats = np.ascontiguousarray(rest)
        self._pivot = pivot
        self.z: Floats = depth - pivot[2]
        self.follow: Floats = np.concatenate([s.mesh.pose_weight for s in sheets]).astype(
            np.float32
        )
        self._focal = float(avatar.subject.focal_px)
        self._unit = float(avatar.subject.iod_px)
        self.last: Floats = np.array([avatar.canvas.width, avatar.canvas.height], np.float32) - 1
        x, y = rest.T
        self.edges = (
            np.flatnonzero(x <= 0),
            np.flatnonzero(y <= 0),
            np.flatnonzero(x >= self.last[0]),
            np.flatnonzero(y >= self.last[1]),
        )

    def place(self, weights: npt.NDArray[np.float32], head: HeadPose) -> Floats:
        """Return screen positions in canvas pixels, integers at pixel centres. float32, (N, 2).

        Args:
            weights: Shape weights, (K,).
            head: A pose within the avatar's limits.
        """
        placed = self.rest.copy()
        flat = placed.reshape(-1)
        for k in np.flatnonzero(weights):
            start, stop = self._spans[k]
            flat[start:stop] += weights[k] * self.delta[k, start:stop]
        self._turn(placed, head)
        np.clip(placed, -FARTHEST, FARTHEST, out=placed)
        for axis in (0, 1):
            # The picture never ends inside the frame: its border only moves outwards.
            low, high = self.edges[axis], self.edges[2 + axis]
            placed[low, axis] = np.minimum(placed[low, axis], 0.0)
            placed[high, axis] = np.maximum(placed[high, axis], self.last[axis])
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
        cy, sy, cp, sp, cr, sr, px, py, focal, dx, dy = self.turned_by(head)
        x = placed[:, 0] - px
        y = placed[:, 1] - py
        z = self.z
        x1 = cy * x - sy * z
        z1 = sy * x + cy * z
        y1 = cp * y - sp * z1
        z2 = sp * y + cp * z1
        near = focal / np.maximum(focal + z2 - z, np.float32(0.1) * focal)
        placed[:, 0] += self.follow * ((cr * x1 - sr * y1) * near + dx - x)
        placed[:, 1] += self.follow * ((sr * x1 + cr * y1) * near + dy - y)

    def turned_by(self, head: HeadPose) -> Floats:
        """Return a pose in numbers. float32, (11,).

        Cosine and sine of yaw, pitch and roll; then, in canvas pixels, the pivot (x, y), the
        focal length and the shift (x, y).
        """
        angles = (*_cos_sin(head.yaw), *_cos_sin(head.pitch), *_cos_sin(head.roll))
        shift = (head.x * self._unit, head.y * self._unit)
        return np.array((*angles, *self._pivot[:2], self._focal, *shift), np.float32)


def _span(row: Floats) -> tuple[int, int]:
    """The part of a shape's displacements outside which all are 0."""
    moved = np.flatnonzero(row)
    return (int(moved[0]), int(moved[-1]) + 1) if len(moved) else (0, 0)


def _cos_sin(degrees: float) -> tuple[float, float]:
    angle = math.radians(degrees)
    return math.cos(angle), math.sin(angle)
