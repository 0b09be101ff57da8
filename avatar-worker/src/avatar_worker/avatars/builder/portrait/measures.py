"""The measures of one face that every part of the rig is built from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from scipy.ndimage import map_coordinates

from .slit import Array, Opening, eye_opening, mouth_opening, smoothstep

TOOTHY_GAP_U: Final = 0.05
NECK_U: Final = 0.60
BROW: Final = {"r": 105, "l": 334}
BROW_EDGE: Final = {"r": (46, 53, 52, 65, 55), "l": (285, 295, 282, 283, 276)}
"""The brows' lower edges, image left first."""

EYES: Final = ("l", "r")


@dataclass(frozen=True, slots=True)
class Measures:
    """Distances in canvas pixels; integers are pixel centres.

    Attributes:
        points: Landmarks. (478, 3).
        u: Inter-ocular distance, iris centre to iris centre.
        mouth: The inner edge of the lips.
        eyes: The lids, by the subject's side `l`, `r`.
        nose_px: Mouth to the nose's base.
        chin_px: Mouth to chin.
        upper_lip_px: Thickness of the upper lip.
        lower_lip_px: Thickness of the lower lip.
        brow_px: A brow's `t` in its eye's coordinates, by side.
        brow_edge_px: Its lower edge: (s, t) of five points, s growing. (5, 2), by side.
        jaw_s: Where the jaw's edge lies in the mouth's `s`: image left, image right, both > 0.
        gap_px: How far the lips are apart in the photo.
        kappa: Where the edges meet when the mouth closes: 0 at the upper one, 1 at the lower.
        oval: 1 on the face, 0 away from it. (H, W).
    """

    points: Array
    u: float
    mouth: Opening
    eyes: dict[str, Opening]
    nose_px: float
    chin_px: float
    upper_lip_px: float
    lower_lip_px: float
    brow_px: dict[str, float]
    brow_edge_px: dict[str, Array]
    jaw_s: tuple[float, float]
    gap_px: float
    kappa: float
    oval: Array

    @property
    def mm(self) -> float:
        """Canvas pixels in a millimetre of an average face."""
        return self.u / 63

    @property
    def chin(self) -> Array:
        """The chin's tip. (2,)."""
        return np.asarray(self.points[152, :2])

    @property
    def toothy(self) -> bool:
        """Whether the photo shows parted lips."""
        return self.gap_px > TOOTHY_GAP_U * self.u

    def seam(self, s: Array) -> Array:
        """Where the lips' edges meet when the mouth is closed, `t` in pixels."""
        return np.asarray((1 - self.kappa) * self.mouth.upper(s) + self.kappa * self.mouth.lower(s))

    def on_face(self, xy: Array) -> Array:
        """The oval at canvas points (..., 2)."""
        rows_columns = np.moveaxis(xy[..., ::-1], -1, 0)
        return np.asarray(map_coordinates(self.oval, rows_columns, order=1, mode="nearest"))


def measure(points: Array, width: int, height: int) -> Measures:
    """Measure a face.

    Args:
        points: Landmarks in canvas pixels. (478, 3).
        width: The canvas's.
        height: The canvas's.
    """
    u = float(np.linalg.norm(points[473, :2] - points[468, :2]))
    mouth = mouth_opening(points)
    eyes = {side: eye_opening(points, side) for side in EYES}
    zero = np.zeros(1)

    def below_mouth(index: int) -> float:
        return float((points[index, :2] - mouth.centre) @ mouth.down)

    upper, lower = float(mouth.upper(zero)[0]), float(mouth.lower(zero)[0])
    jaw = (points[[172, 58, 397, 288], :2] - mouth.centre) @ mouth.along / mouth.half_width
    gap = lower - upper
    return Measures(
        points=points,
        u=u,
        mouth=mouth,
        eyes=eyes,
        nose_px=max(abs(below_mouth(2)), 0.15 * u),
        chin_px=max(abs(below_mouth(152)), 0.3 * u),
        upper_lip_px=max(2.0, upper - below_mouth(0)),
        lower_lip_px=max(2.0, below_mouth(17) - lower),
        brow_px={
            side: float((points[BROW[side], :2] - eyes[side].centre) @ eyes[side].down)
            for side in EYES
        },
        brow_edge_px={side: _brow_edge(points, eyes[side], BROW_EDGE[side]) for side in EYES},
        jaw_s=(
            max(1.5, -0.97 * float(jaw[:2].mean())),
            max(1.5, 0.97 * float(jaw[2:].mean())),
        ),
        gap_px=gap,
        kappa=0.7 if gap > TOOTHY_GAP_U * u else 0.5,
        oval=_oval(points, u, width, height),
    )


def _brow_edge(points: Array, eye: Opening, indices: tuple[int, ...]) -> Array:
    s, t = eye.local(points[list(indices), :2])
    order = np.argsort(s)
    return np.stack([s[order], t[order]], -1)


def _oval(points: Array, u: float, width: int, height: int) -> Array:
    drawn = np.zeros((height, width), np.float32)
    face = points[:468, :2]
    # The skin under the chin goes along, or the chin would fold over the neck.
    under = face[face[:, 1] > points[13, 1]] + [0.0, NECK_U * u]
    hull = cv2.convexHull(np.rint(np.concatenate([face, under])).astype(np.int32))
    cv2.fillConvexPoly(drawn, hull, 1.0)
    side = 2 * max(1, round(0.16 * u)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    soft = cv2.GaussianBlur(cv2.dilate(drawn, kernel), (0, 0), 0.12 * u)
    return smoothstep(0.15, 0.95, np.asarray(soft, np.float64))
