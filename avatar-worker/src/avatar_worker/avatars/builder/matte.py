"""Cut the person out: soft alpha and the person's own colours at the edge.

A small segmentation net says roughly where the person is, closed-form matting decides the hair.

Sources: MediaPipe Selfie Segmentation (model card); Levin, Lischinski, Weiss, "A Closed-Form
Solution to Natural Image Matting", 2008; Germer et al., "Fast Multi-Level Foreground Estimation",
2020.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from .net import Floats, Net

SEGMENTER_SIDE: Final = 256
SURE_PERSON: Final = 0.9
SURE_BACKGROUND: Final = 0.1
MATTING_SIDE: Final = 640
"""Longest side at which the matting runs; larger pictures get its result scaled up."""

SHIFTS: Final = (1e-3, 1e-2, 0.1, 1.0, 10.0, 1e3)
"""Added to the diagonal until it factors. Smaller ones often fail, and the library prints that."""


def person_matte(
    rgb: npt.NDArray[np.uint8], landmarks: Floats
) -> tuple[Floats, npt.NDArray[np.uint8]]:
    """Return the person's alpha and colours.

    Args:
        rgb: The picture, the person upright. uint8, (h, w, 3).
        landmarks: The person's face in it, pixels. float32, (478, 2 or 3).

    Returns:
        Alpha in [0, 1], float32 (h, w); foreground colours without the old background's share,
        uint8 (h, w, 3), meaningful where alpha > 0.
    """
    from pymatting import estimate_alpha_cf, estimate_foreground_ml, ichol

    height, width = rgb.shape[:2]
    scale = min(1.0, MATTING_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
    points = landmarks[:, :2] * np.array([size[0] / width, size[1] / height], np.float32)
    trimap = _trimap(person_probability(small), points)
    solved = estimate_alpha_cf(
        small / 255.0,
        trimap.astype(np.float64),
        preconditioner=lambda matrix: ichol(matrix, shifts=SHIFTS),
    )
    alpha = np.asarray(solved, np.float32)
    alpha = _clean(alpha, points)
    if scale < 1:
        alpha = np.asarray(
            cv2.resize(alpha, (width, height), interpolation=cv2.INTER_LINEAR), np.float32
        )
    foreground = estimate_foreground_ml(rgb / 255.0, alpha.astype(np.float64))
    return alpha, np.clip(np.rint(foreground * 255), 0, 255).astype(np.uint8)


def person_probability(rgb: npt.NDArray[np.uint8]) -> Floats:
    """How likely each pixel belongs to a person, in [0, 1]. float32, (h, w).

    Args:
        rgb: The picture. uint8, (h, w, 3).
    """
    height, width = rgb.shape[:2]
    side = (SEGMENTER_SIDE, SEGMENTER_SIDE)
    square = cv2.resize(rgb, side, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    mask = np.clip(_segmenter()(square[None])[0][0, :, :, 0], 0, 1)
    return np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


@cache
def _segmenter() -> Net:
    file = resources.files("avatar_worker") / "assets/models/selfie_segmentation.tflite"
    return Net(file.read_bytes())


def _trimap(probability: Floats, points: Floats) -> Floats:
    """1 sure person, 0 sure background, 0.5 to be decided. float32, (h, w)."""
    height, width = probability.shape
    iod = max(4.0, float(np.linalg.norm(points[473] - points[468])))
    person = _with_face(probability > SURE_PERSON, points).astype(np.uint8)
    person = _joined_to_face(person, points)
    background = (probability < SURE_BACKGROUND).astype(np.uint8)
    # The unsure band is as wide as hair is loose: more outside than inside.
    inner = cv2.erode(person, _disc(0.07 * iod), borderValue=1)
    outer = cv2.erode(background, _disc(0.20 * iod), borderValue=1)
    trimap = np.full((height, width), 0.5, np.float32)
    trimap[outer > 0] = 0
    trimap[_with_face(inner > 0, points)] = 1
    return trimap


def _with_face(mask: npt.NDArray[np.bool_], points: Floats) -> npt.NDArray[np.bool_]:
    """Add the face oval, drawn in a little: whatever the net says, it is the person."""
    centre = points[:468].mean(0)
    hull = cv2.convexHull((centre + 0.93 * (points[:468] - centre)).astype(np.float32))
    drawn = mask.astype(np.uint8)
    cv2.fillConvexPoly(drawn, np.rint(hull).astype(np.int32), 1)
    return drawn > 0


def _joined_to_face(mask: npt.NDArray[np.uint8], points: Floats) -> npt.NDArray[np.uint8]:
    """Keep only the part that hangs together with the face: no bystanders."""
    _, labels = cv2.connectedComponents(mask)
    height, width = mask.shape
    x, y = points[:468].mean(0)
    here = labels[int(np.clip(y, 0, height - 1)), int(np.clip(x, 0, width - 1))]
    return (labels == here).astype(np.uint8) if here else mask


def _clean(alpha: Floats, points: Floats) -> Floats:
    """Drop islands and fill holes; push almost clear and almost solid to the ends."""
    alpha = np.clip((alpha - 0.03) / 0.94, 0, 1).astype(np.float32)
    near = (alpha > 0.05).astype(np.uint8)
    alpha[_joined_to_face(near, points) == 0] = 0
    outside = (alpha < 0.5).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(outside)
    height, width = alpha.shape
    for i in range(1, count):
        left, top, w, h, area = (int(v) for v in stats[i])
        at_border = left == 0 or top == 0 or left + w == width or top + h == height
        if not at_border and area < 0.002 * alpha.size:
            alpha[labels == i] = 1
    return alpha


def _disc(radius: float) -> npt.NDArray[np.uint8]:
    side = 2 * max(1, round(radius)) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)
