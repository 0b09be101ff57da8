"""Glasses are stiff: where a frame may run, skin does not give, and depth has no hills.

The frame itself is not looked for; it lies around both eyes, from the brows to the cheeks. Lids move
inside it as ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from avatar_worker.avatars.avatar import Mesh

from .depth import CELL, Depth
from .measures import Measures
from .shapes import SHAPES
from .slit import Array, smoothstep

TOP_U: Final = (-0.52, -0.36)
BOTTOM_U: Final = (0.64, 0.44)
SIDES_U: Final = (1.20, 0.95)
"""From the middle between the eyes: where skin gives freely, and where it does not give at all."""

FREE: Final = ("close", "blink", "squint", "eyeWide", "breath")
"""Shapes that stay as they are: they end inside a frame or begin far below."""


def stiffness(m: Measures, xy: Array) -> Array:
    """1 where a frame may run, 0 away from it, at canvas points (n, 2). (n,)."""
    left, right = m.points[468, :2], m.points[473, :2]
    along = (right - left) / m.u
    offset = (xy - (left + right) / 2) / m.u
    across = np.abs(offset @ along)
    down = offset @ np.array([-along[1], along[0]])
    level = smoothstep(*TOP_U, down) * smoothstep(*BOTTOM_U, down)
    return np.asarray(level * smoothstep(*SIDES_U, across))


def stiffened(m: Measures, meshes: Sequence[Mesh]) -> tuple[Mesh, ...]:
    """Take from every shape but the lids' what it moves a frame by.

    Args:
        m: The face.
        meshes: The rig's, on one plane: where two overlap they stay together.
    """
    gives = np.array([not shape.startswith(FREE) for shape in SHAPES], np.float64)
    return tuple(
        replace(
            mesh,
            delta=(
                mesh.delta.astype(np.float64)
                * (1 - gives[:, None] * stiffness(m, mesh.xy.astype(np.float64)))[None, ..., None]
            ).astype(np.float16),
        )
        for mesh in meshes
    )


def levelled(m: Measures, depth: Depth) -> Depth:
    """Let a frame turn as one piece: depth under it curves to the ears and does nothing else."""
    rows, columns = depth.z.shape
    y, x = (np.mgrid[:rows, :columns] + 0.5) * CELL - 0.5
    xy = np.stack([x, y], -1).reshape(-1, 2)
    stiff, z = stiffness(m, xy), depth.z.ravel()
    offset = (xy - m.points[[468, 473], :2].mean(0)) / m.u
    terms = np.stack([np.ones(len(xy)), offset[:, 0], offset[:, 1], offset[:, 0] ** 2], -1)
    root = np.sqrt(stiff)
    curve, *_ = np.linalg.lstsq(terms * root[:, None], z * root, rcond=None)
    level = z + stiff * (terms @ curve - z)
    return replace(depth, z=level.reshape(rows, columns))
