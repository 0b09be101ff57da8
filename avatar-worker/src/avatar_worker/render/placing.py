"""Where every vertex lies on the screen: the compiled twin of `VertexField.place`.

x and y are reckoned in planes of their own, eight at a time, and lie beside each other at the end.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from avatar_worker.compiling import Array, compiled
from avatar_worker.frames import HeadPose

from .vertices import FARTHEST, Floats, VertexField

_AHEAD: Final = HeadPose()


class Placer:
    """Places the vertices of one avatar into a buffer. One thread at a time."""

    def __init__(self, field: VertexField) -> None:
        """Pack what every shape moves."""
        self._field = field
        self._rest = np.ascontiguousarray(field.rest.T)
        self._moves, self._spans = _packed(field)
        self._planes: Floats = np.empty_like(self._rest)
        self.placed: Floats = np.empty_like(field.rest)

    def place(self, weights: npt.NDArray[np.float32], head: HeadPose) -> Floats:
        """Return screen positions as `VertexField.place` does, valid until asked again.

        Args:
            weights: Shape weights. float32, (K,).
            head: A pose within the avatar's limits.
        """
        field = self._field
        _bend(self._rest, self._moves, self._spans, weights, self._planes)
        if head != _AHEAD:
            _turn(self._planes, field.turned_by(head), field.z, field.follow)
        _join(self._planes, self.placed)
        _keep_edges(self.placed, *field.edges, field.last)
        return self.placed


def _packed(field: VertexField) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Leave out of the displacements what a shape does not move, sheet by sheet.

    Returns:
        Displacements along x and then along y of each part, one part after the other. float32, flat.
        Shape, first vertex, vertices and place among the former of each part. (parts, 4).
    """
    moves: list[Floats] = [np.zeros(0, np.float32)]
    spans: list[tuple[int, int, int, int]] = []
    at = 0
    for sheet in field.sheets:
        for k, row in enumerate(field.delta):
            part = row.reshape(-1, 2)[sheet.start : sheet.stop]
            moved = np.flatnonzero(part.any(1))
            if len(moved):
                first, count = int(moved[0]), int(moved[-1] - moved[0]) + 1
                moves.append(part[first : first + count].T.ravel())
                spans.append((k, sheet.start + first, count, at))
                at += 2 * count
    return np.concatenate(moves), np.array(spans, np.int64).reshape(-1, 4)


@compiled
def _bend(rest: Array, moves: Array, spans: Array, weights: Array, planes: Array) -> None:
    """Add up the shapes.

    Args:
        rest: float32, (2, V).
        moves: From `_packed`.
        spans: The same.
        weights: float32, (K,).
        planes: Filled. float32, (2, V).
    """
    for p in range(2):
        line, still = planes[p], rest[p]
        for n in range(np.uintp(line.shape[0])):
            line[n] = still[n]
    for i in range(spans.shape[0]):
        k, start, count, at = spans[i, 0], spans[i, 1], spans[i, 2], spans[i, 3]
        weight = weights[k]
        if weight == 0:
            continue
        for p in range(2):
            moved, by = planes[p, start : start + count], moves[at + p * count :][:count]
            for n in range(np.uintp(count)):
                moved[n] += weight * by[n]


@compiled
def _turn(planes: Array, pose: Array, z: Array, follow: Array) -> None:
    """Turn about the neck as `VertexField` says.

    Args:
        planes: Screen positions, changed. float32, (2, V).
        pose: From `VertexField.turned_by`. float32, (11,).
        z: Depth from the pivot. float32, (V,).
        follow: How much each vertex follows the head. float32, (V,).
    """
    cy, sy, cp, sp, cr, sr = pose[0], pose[1], pose[2], pose[3], pose[4], pose[5]
    px, py, focal, dx, dy = pose[6], pose[7], pose[8], pose[9], pose[10]
    least = np.float32(0.1) * focal
    xs, ys = planes[0], planes[1]
    for n in range(np.uintp(z.shape[0])):
        x, y, away = xs[n] - px, ys[n] - py, z[n]
        x1 = cy * x - sy * away
        z1 = sy * x + cy * away
        y1 = cp * y - sp * z1
        z2 = sp * y + cp * z1
        deep = focal + z2 - away
        # `max` would branch on NaN, and the loop run one by one.
        near = focal / (deep if deep > least else least)
        xs[n] += follow[n] * ((cr * x1 - sr * y1) * near + dx - x)
        ys[n] += follow[n] * ((sr * x1 + cr * y1) * near + dy - y)


@compiled
def _join(planes: Array, placed: Array) -> None:
    """Lay x and y beside each other, within what can be counted.

    Args:
        planes: float32, (2, V).
        placed: Filled. float32, (V, 2).
    """
    xs, ys, both = planes[0], planes[1], placed.reshape(placed.size)
    most = np.float32(FARTHEST)
    for n in range(np.uintp(xs.shape[0])):
        x, y = xs[n], ys[n]
        x = x if x > -most else -most
        y = y if y > -most else -most
        both[n + n] = x if x < most else most
        both[n + n + np.uintp(1)] = y if y < most else most


@compiled
def _keep_edges(
    placed: Array, left: Array, top: Array, right: Array, bottom: Array, last: Array
) -> None:
    """Keep the picture's border outside the frame."""
    for n in left:
        placed[n, 0] = min(placed[n, 0], np.float32(0))
    for n in top:
        placed[n, 1] = min(placed[n, 1], np.float32(0))
    for n in right:
        placed[n, 0] = max(placed[n, 0], last[0])
    for n in bottom:
        placed[n, 1] = max(placed[n, 1], last[1])
