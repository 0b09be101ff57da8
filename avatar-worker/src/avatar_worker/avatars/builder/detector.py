"""Where faces are: boxes and six key points, from a net that sees the picture at 128 pixels.

Source: the model card of BlazeFace (short range).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from .net import Floats, Net

DETECTOR_SIDE: Final = 128
DETECTION_SCORE: Final = 0.5
SAME_FACE_OVERLAP: Final = 0.3


@dataclass(frozen=True, slots=True)
class Detection:
    """One face: pixels of the picture, score in [0, 1]."""

    box: Floats  # left, top, right, bottom
    keypoints: Floats  # (6, 2): eye at image left, eye at image right, nose, mouth, ears
    score: float


def search(net: Net, rgb: npt.NDArray[np.uint8], closeness: int = 1) -> list[Detection]:
    """Return the faces in a picture, surest first.

    A face narrower than a twelfth of what is looked at is lost at 128 pixels.

    Args:
        net: The detector.
        rgb: The picture, sRGB. uint8, (h, w, 3).
        closeness: How often a tile goes into the picture's longer side; tiles overlap by half.
    """
    if closeness == 1:
        return detect(net, rgb)
    height, width = rgb.shape[:2]
    side = max(height, width) // closeness
    found: list[Detection] = []
    for top in _starts(height, side):
        for left in _starts(width, side):
            offset = np.array([left, top], np.float32)
            for face in detect(net, rgb[top : top + side, left : left + side]):
                box = face.box + np.tile(offset, 2)
                found.append(Detection(box, face.keypoints + offset, face.score))
    apart: list[Detection] = []
    for face in sorted(found, key=lambda face: -face.score):
        if all(overlap(face.box, other.box) <= SAME_FACE_OVERLAP for other in apart):
            apart.append(face)
    return apart


def _starts(length: int, side: int) -> list[int]:
    """Where tiles of `side` begin so that they cover `length` and overlap by half at least."""
    last = max(0, length - side)
    count = -(-2 * last // side)
    return [round(last * i / count) for i in range(count + 1)] if count else [0]


def detect(net: Net, rgb: npt.NDArray[np.uint8]) -> list[Detection]:
    """Faces in the picture, surest first. The picture is letterboxed to the detector's square."""
    height, width = rgb.shape[:2]
    scale = DETECTOR_SIDE / max(height, width)
    w, h = max(1, round(width * scale)), max(1, round(height * scale))
    left, top = (DETECTOR_SIDE - w) // 2, (DETECTOR_SIDE - h) // 2
    square = np.zeros((1, DETECTOR_SIDE, DETECTOR_SIDE, 3), np.float32)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    square[0, top : top + h, left : left + w] = cv2.resize(rgb, (w, h), interpolation=how)
    by_depth = {out.shape[-1]: out[0] for out in net(square / 127.5 - 1)}
    scores = sigmoid(by_depth[1][:, 0])
    sure = scores > DETECTION_SCORE
    raw, scores = by_depth[16][sure] / DETECTOR_SIDE, scores[sure]
    points = raw.reshape(-1, 8, 2)  # centre, size, six key points
    points[:, 0] += _anchors()[sure]
    points[:, 2:] += _anchors()[sure][:, None]
    boxes = np.concatenate([points[:, 0] - points[:, 1] / 2, points[:, 0] + points[:, 1] / 2], 1)
    offset = np.array([left, top], np.float32)
    found: list[Detection] = []
    for box, keypoints, score in _merge(boxes, points[:, 2:], scores):
        corners = (box.reshape(2, 2) * DETECTOR_SIDE - offset) / scale
        found.append(
            Detection(corners.ravel(), (keypoints * DETECTOR_SIDE - offset) / scale, score)
        )
    return found


def _merge(boxes: Floats, keypoints: Floats, scores: Floats) -> list[tuple[Floats, Floats, float]]:
    """Weighted non-maximum suppression: boxes of one face are averaged by score, not dropped."""
    order = np.argsort(-scores, kind="stable")
    merged = []
    while order.size:
        overlaps = np.array([overlap(boxes[order[0]], boxes[i]) for i in order])
        same = overlaps > SAME_FACE_OVERLAP
        same[0] = True
        group = order[same]
        weight = scores[group] / scores[group].sum()
        box = np.tensordot(weight, boxes[group], 1)
        merged.append((box, np.tensordot(weight, keypoints[group], 1), float(scores[order[0]])))
        order = order[~same]
    return merged


@cache
def _anchors() -> Floats:
    """Centres of the detector's 896 anchors in units of its input. float32, (896, 2)."""
    rows = []
    for stride, per_cell in ((8, 2), (16, 6)):
        cells = DETECTOR_SIDE // stride
        y, x = np.mgrid[:cells, :cells]
        grid = (np.stack([x, y], -1).reshape(-1, 2) + 0.5) / cells
        rows.append(np.repeat(grid, per_cell, axis=0))
    return np.concatenate(rows).astype(np.float32)


def overlap(a: Floats, b: Floats) -> float:
    """Intersection over union of two boxes."""
    size = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None)
    shared = float(size.prod())
    union = float((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod()) - shared
    return shared / union if union > 0 else 0.0


def sigmoid(x: Any) -> Any:
    """Map a score without limits to [0, 1]."""
    return 1 / (1 + np.exp(-np.clip(x, -50, 50)))
