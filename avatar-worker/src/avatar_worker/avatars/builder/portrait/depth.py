"""How far everything is from the camera, and how much of it turns with the head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates

from .measures import Measures
from .slit import Array, smoothstep

CELL: Final = 8
STEPS: Final = 600
EARS: Final = (234, 454, 127, 356)
SPINE_U: Final = 0.80
"""How far behind the ears a head turns: nearer, and the face would turn on the spot."""

OUTLINE_U: Final = (0.0, 0.60, 0.60, 0.35)
"""How far behind the ears' middle the person's outline lies: at the hair, from the eyes to the
nose's base, where it is the ears' rims, and at the chin. As on the rendered actor when she turns."""

FOCAL_U: Final = 14.0
"""Focal length in `u`: a portrait lens; less makes noses grow."""


@dataclass(frozen=True, slots=True)
class Depth:
    """Depth of the picture.

    Attributes:
        z: Away from the camera, canvas pixels, one value for each 8 x 8 pixels. (h, w).
        pivot: Where the head turns: x, y, z of the neck's joint, canvas pixels.
        focal_px: Focal length.
        fade: Rows between which the head passes into the body: from, to.
    """

    z: Array
    pivot: tuple[float, float, float]
    focal_px: float
    fade: tuple[float, float]

    def at(self, xy: Array) -> Array:
        """Depth at canvas points (n, 2). (n,)."""
        rows_columns = np.moveaxis((xy[..., ::-1] + 0.5) / CELL - 0.5, -1, 0)
        return np.asarray(map_coordinates(self.z, rows_columns, order=1, mode="nearest"))

    def pose_weight(self, xy: Array) -> Array:
        """1 where points follow the head, 0 on the body. (n,)."""
        return 1 - smoothstep(self.fade[0], self.fade[1], xy[..., 1])


def estimate_depth(m: Measures, alpha: npt.NDArray[np.float32]) -> Depth:
    """Relax depth between the landmarks, the person's outline and the body.

    Args:
        m: The face.
        alpha: The person's matte. float32, (H, W).
    """
    height, width = alpha.shape
    size = (-(-width // CELL), -(-height // CELL))
    person = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)
    points = m.points[:468]
    ear = float(m.points[list(EARS), 2].mean()) + 0.12 * m.u
    known = np.full(person.shape, ear)
    fixed = person < 0.4
    outline = ear + _outline_px(m, (np.arange(size[1]) + 0.5) * CELL)[:, None]
    known = np.where(fixed, outline, known).astype(np.float32)
    chin_y = float(m.chin[1])
    body = round((chin_y + 0.9 * m.u) / CELL)
    known[body:], fixed[body:] = 0.8 * ear, True
    total, count = np.zeros_like(known), np.zeros_like(known)
    column = np.clip((points[:, 0] / CELL).astype(int), 0, size[0] - 1)
    row = np.clip((points[:, 1] / CELL).astype(int), 0, size[1] - 1)
    np.add.at(total, (row, column), points[:, 2])
    np.add.at(count, (row, column), 1)
    seen = count > 0
    known[seen] = total[seen] / count[seen]
    fixed |= seen
    z = known.copy()
    for _ in range(STEPS):
        z = np.where(fixed, known, cv2.blur(z, (3, 3), borderType=cv2.BORDER_REPLICATE))
    return Depth(
        z=np.asarray(cv2.GaussianBlur(z, (0, 0), 1.0), np.float64),
        pivot=(float(m.mouth.centre[0]), chin_y + 0.15 * m.u, ear + SPINE_U * m.u),
        focal_px=FOCAL_U * m.u,
        fade=(chin_y - 0.15 * m.u, chin_y + 1.0 * m.u),
    )


def _outline_px(m: Measures, y: Array) -> Array:
    """How far behind the ears' middle the person's outline lies at rows of the canvas. (n,)."""
    top, eyes, nose, chin = (float(m.points[i, 1]) for i in (10, 168, 2, 152))
    return np.interp(y, (top - 0.4 * m.u, eyes, nose, chin), OUTLINE_U) * m.u
