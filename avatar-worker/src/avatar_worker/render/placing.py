"""Where every vertex lies on the screen: the compiled twin of `VertexField.place`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from avatar_worker.frames import HeadPose

from .compiling import Array, compiled
from .vertices import FARTHEST, Floats, VertexField


class Placer:
    """Places the vertices of one avatar into a buffer. One thread at a time."""

    def __init__(self, field: VertexField) -> None:
        """Note in which part of which sheet every shape moves anything."""
        self._field = field
        self._spans = _spans(field)
        self.placed: Floats = np.empty_like(field.rest)

    def place(self, weights: npt.NDArray[np.float32], head: HeadPose) -> Floats:
        """Return screen positions as `VertexField.place` does, valid until asked again.

        Args:
            weights: Shape weights. float32, (K,).
            head: A pose within the avatar's limits.
        """
        field = self._field
        _bend(field.rest.reshape(-1), field.delta, self._spans, weights, self.placed.reshape(-1))
        if head != HeadPose():
            _turn(self.placed, field.turned_by(head), field.z, field.follow)
        left, top, right, bottom = field.edges
        _keep_edges(self.placed, left, top, right, bottom, field.last)
        return self.placed


def _spans(field: VertexField) -> npt.NDArray[np.int64]:
    """First and one past the last number that a shape moves in a sheet. (sheets, K, 2)."""
    spans = np.zeros((len(field.sheets), len(field.delta), 2), np.int64)
    for i, sheet in enumerate(field.sheets):
        part = slice(2 * sheet.start, 2 * sheet.stop)
        for k, row in enumerate(field.delta):
            moved = np.flatnonzero(row[part])
            if len(moved):
                spans[i, k] = part.start + moved[0], part.start + moved[-1] + 1
    return spans


@compiled
def _bend(rest: Array, delta: Array, spans: Array, weights: Array, out: Array) -> None:
    """Add up the shapes.

    Args:
        rest: float32, (2 V,).
        delta: Displacement at weight 1. float32, (K, 2 V).
        spans: From `_spans`.
        weights: float32, (K,).
        out: Filled. float32, (2 V,).
    """
    out[:] = rest
    for i in range(spans.shape[0]):
        for k in range(spans.shape[1]):
            weight = weights[k]
            start, stop = spans[i, k, 0], spans[i, k, 1]
            if weight == 0 or stop <= start:
                continue
            moved, by = out[start:stop], delta[k, start:stop]
            for n in range(stop - start):
                moved[n] += weight * by[n]


@compiled
def _turn(placed: Array, pose: Array, z: Array, follow: Array) -> None:
    """Turn about the neck as `VertexField` says.

    Args:
        placed: Screen positions, changed. float32, (V, 2).
        pose: From `VertexField.turned_by`. float32, (11,).
        z: Depth from the pivot. float32, (V,).
        follow: How much each vertex follows the head. float32, (V,).
    """
    cy, sy, cp, sp, cr, sr = pose[0], pose[1], pose[2], pose[3], pose[4], pose[5]
    px, py, focal, dx, dy = pose[6], pose[7], pose[8], pose[9], pose[10]
    least = np.float32(0.1) * focal
    for n in range(placed.shape[0]):
        x, y, away = placed[n, 0] - px, placed[n, 1] - py, z[n]
        x1 = cy * x - sy * away
        z1 = sy * x + cy * away
        y1 = cp * y - sp * z1
        z2 = sp * y + cp * z1
        near = focal / max(focal + z2 - away, least)
        placed[n, 0] += follow[n] * ((cr * x1 - sr * y1) * near + dx - x)
        placed[n, 1] += follow[n] * ((sr * x1 + cr * y1) * near + dy - y)


@compiled
def _keep_edges(
    placed: Array, left: Array, top: Array, right: Array, bottom: Array, last: Array
) -> None:
    """Keep vertices countable, and the picture's border outside the frame."""
    most = np.float32(FARTHEST)
    for n in range(placed.shape[0]):
        placed[n, 0] = min(max(placed[n, 0], -most), most)
        placed[n, 1] = min(max(placed[n, 1], -most), most)
    for n in left:
        placed[n, 0] = min(placed[n, 0], np.float32(0))
    for n in top:
        placed[n, 1] = min(placed[n, 1], np.float32(0))
    for n in right:
        placed[n, 0] = max(placed[n, 0], last[0])
    for n in bottom:
        placed[n, 1] = max(placed[n, 1], last[1])
