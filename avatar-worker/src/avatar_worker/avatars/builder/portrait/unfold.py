"""Smooth shapes where they would turn the skin over: no pose of the controls' box may fold it.

Fields that are harmless alone fold together where their slopes add up, above all on photos of a
smile. Around each triangle that turns over, the shapes of the pose are made smoother, a little at a
time, until nothing folds. `close` stays: lips have to meet.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from avatar_worker.avatars.avatar import Layer, Mesh

from .mesh import RING_CELLS
from .shapes import SHAPES
from .slit import Array

ROUNDS: Final = 24
AROUND: Final = 2
"""So many vertices around a folded triangle are smoothed too."""

SHOWS: Final = 8
LEAST_AREA: Final = 0.02
"""Triangles keep this share of their area: a little more than nothing, for 16-bit rounding."""

FIXED: Final = ("close",)
_DISPLACED: Final = 1e-6

Weights = npt.NDArray[np.float64]


def unfolded(
    meshes: Sequence[Mesh], masks: Sequence[Layer], poses: Iterable[Weights]
) -> tuple[Mesh, ...]:
    """Return the meshes with gentler shapes where a pose would fold what may be seen.

    Args:
        meshes: Body first, then as they are drawn.
        masks: `mask_upper` and `mask_lower`.
        poses: Shape weights, (K,) each.
    """
    cover = {layer.role.removeprefix("mask_"): layer.pixels[..., 0] for layer in masks}
    wanted = list(poses)
    # Slits are drawn one after the other: in a tilted face a mouth's mesh may end under an eye's.
    return tuple(
        _unfolded(
            mesh, cover, wanted, [late for late in meshes[i + 1 :] if late.layers != ("skin",)]
        )
        for i, mesh in enumerate(meshes)
    )


def _unfolded(
    mesh: Mesh,
    cover: dict[str, npt.NDArray[np.uint8]],
    poses: list[Weights],
    above: Sequence[Mesh],
) -> Mesh:
    """Mend one mesh; what lies under the meshes `above` is not seen, and a body's agrees with them."""
    delta = mesh.delta.astype(np.float64)
    seen = np.stack([_may_show(mesh, cover.get(layer)) for layer in mesh.layers])
    columns = len(np.unique(mesh.xy[:, 0]))
    free = _inner(len(mesh.xy) // columns, columns, mesh.layers != ("skin",))
    for slit in above:
        low, high = slit.xy.min(0), slit.xy.max(0)
        under = ((mesh.xy >= low) & (mesh.xy <= high)).all(1)
        seen &= ~under[mesh.tri].all(1)
        if mesh.layers == ("skin",):
            free[under.reshape(free.shape)] = 0
    changed = False
    for _ in range(ROUNDS):
        hit: dict[int, npt.NDArray[np.bool_]] = {}
        still = []
        for weights in poses:
            folded = _folded_vertices(mesh, delta, weights, seen)
            if not folded.any():
                continue
            still.append(weights)
            for k in np.flatnonzero(weights > 0).tolist():
                if SHAPES[k] not in FIXED:
                    hit[k] = hit.get(k, np.zeros(len(mesh.xy), bool)) | folded
        if not hit:
            break
        changed, poses = True, still
        for k, vertices in hit.items():
            share = free * _spread(vertices.reshape(-1, columns))
            _smooth(delta[:, k], share)
    return replace(mesh, delta=delta.astype(np.float16)) if changed else mesh


def _folded_vertices(
    mesh: Mesh, delta: Array, weights: Weights, seen: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Corners of the visible triangles that a pose turns over. (V,)."""
    found = np.zeros(len(mesh.xy), bool)
    used = np.flatnonzero(np.abs(weights) > _DISPLACED)
    least = LEAST_AREA * mesh.cell_px**2
    for layer in range(len(mesh.layers)):
        moved = mesh.xy + np.tensordot(weights[used], delta[layer, used], 1)
        a, b, c = np.moveaxis(moved[mesh.tri], 1, 0)
        area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
        found[mesh.tri[(area < least) & seen[layer]].ravel()] = True
    return found


def _may_show(mesh: Mesh, mask: npt.NDArray[np.uint8] | None) -> npt.NDArray[np.bool_]:
    """Which triangles their layer's mask does not cut away. (T,)."""
    if mask is None:
        return np.ones(len(mesh.tri), bool)
    wide = np.asarray(cv2.dilate(mask, np.ones((5, 5), np.uint8)))
    corners = mesh.xy[mesh.tri]
    points = np.rint(np.concatenate([corners, corners.mean(1, keepdims=True)], 1)).astype(int)
    x = np.clip(points[..., 0], 0, wide.shape[1] - 1)
    y = np.clip(points[..., 1], 0, wide.shape[0] - 1)
    return np.asarray((wide[y, x] > SHOWS).any(1))


def _inner(rows: int, columns: int, ring: bool) -> Array:
    """1 inside the mesh, 0 where it has to agree with the body's. (rows, columns)."""
    free = np.ones((rows, columns))
    if ring:
        edge = RING_CELLS + 1
        free[:edge], free[-edge:], free[:, :edge], free[:, -edge:] = 0, 0, 0, 0
    return free


def _spread(flags: npt.NDArray[np.bool_]) -> Array:
    side = 2 * AROUND + 1
    wide = cv2.dilate(flags.astype(np.float64), np.ones((side, side), np.uint8))
    return np.asarray(cv2.blur(wide, (3, 3)), np.float64)


def _smooth(delta: Array, share: Array) -> None:
    """Blend both layers of one shape towards their own means, in place. (layers, V, 2)."""
    rows, columns = share.shape
    for layer in delta:
        grid = layer.reshape(rows, columns, 2)
        mean = cv2.blur(grid, (3, 3), borderType=cv2.BORDER_REPLICATE)
        grid += share[..., None] * (mean - grid)
