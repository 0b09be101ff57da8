"""The tiny avatar at the size of a real one: 512 x 640 pixels, meshes as fine as a real rig's."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import cv2
import numpy as np
from tests.fakes.avatars import tiny_avatar

from avatar_worker.avatars import Avatar, Layer, Mesh, Slit

FACTOR: Final = 8


def large_avatar() -> Avatar:
    """Scale the tiny avatar's picture and travels; body cells of 8 pixels, slits' of 4."""
    tiny = tiny_avatar("large")
    subject = tiny.subject
    x, y, z = subject.neck_pivot_px
    return replace(
        tiny,
        canvas=replace(tiny.canvas, width=64 * FACTOR, height=80 * FACTOR),
        subject=replace(
            subject,
            iod_px=subject.iod_px * FACTOR,
            mouth_width_px=subject.mouth_width_px * FACTOR,
            neck_pivot_px=(x * FACTOR, y * FACTOR, z * FACTOR),
            focal_px=subject.focal_px * FACTOR,
        ),
        rig=replace(
            tiny.rig,
            landmarks=tiny.rig.landmarks * FACTOR,
            meshes=tuple(_finer(mesh) for mesh in tiny.rig.meshes),
            slits=tuple(_larger_slit(slit) for slit in tiny.rig.slits),
        ),
        layers={role: _larger_layer(layer) for role, layer in tiny.layers.items()},
    )


def _finer(mesh: Mesh) -> Mesh:
    """The same rectangle, enlarged, on a grid of its old cell size; travels enlarged alike."""
    columns = len(np.unique(mesh.xy[:, 0]))
    rows = len(mesh.xy) // columns
    wide, high = (columns - 1) * FACTOR + 1, (rows - 1) * FACTOR + 1
    y, x = np.mgrid[:high, :wide].astype(np.float32)
    coarse_x, coarse_y = x / FACTOR, y / FACTOR

    def between(grid: np.ndarray) -> np.ndarray:
        flat = np.ascontiguousarray(grid.reshape(rows, columns, -1), np.float32)
        return cv2.remap(flat, coarse_x, coarse_y, cv2.INTER_LINEAR).reshape(high * wide, -1)

    corner = (np.arange(high - 1)[:, None] * wide + np.arange(wide - 1)).ravel()
    first = np.stack([corner, corner + 1, corner + wide + 1], -1)
    second = np.stack([corner, corner + wide + 1, corner + wide], -1)
    layers, shapes = mesh.delta.shape[:2]
    delta = [[between(mesh.delta[i, k]) for k in range(shapes)] for i in range(layers)]
    return replace(
        mesh,
        origin=(mesh.origin[0] * FACTOR, mesh.origin[1] * FACTOR),
        xy=between(mesh.xy) * np.float32(FACTOR),
        depth=between(mesh.depth)[:, 0] * np.float32(FACTOR),
        tri=np.concatenate([first, second]).astype(np.int32),
        delta=(np.array(delta) * FACTOR).astype(np.float16),
        pose_weight=between(mesh.pose_weight)[:, 0],
    )


def _larger_slit(slit: Slit) -> Slit:
    return replace(slit, contour=slit.contour * FACTOR, seam=slit.seam * FACTOR)


def _larger_layer(layer: Layer) -> Layer:
    pixels = cv2.resize(layer.pixels, None, fx=FACTOR, fy=FACTOR, interpolation=cv2.INTER_LINEAR)
    return Layer(
        layer.role,
        (layer.origin[0] * FACTOR, layer.origin[1] * FACTOR),
        pixels.reshape(*pixels.shape[:2], -1),
    )
