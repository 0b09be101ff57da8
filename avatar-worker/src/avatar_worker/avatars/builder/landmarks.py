"""Find faces: 478 landmarks and 52 blendshape scores each.

The face landmarker of MediaPipe (Apache-2.0) as three nets: a detector over the whole picture, a
landmark net over a rotated square around one face, a blendshape net over the landmarks.

Sources: the model cards of Face Mesh V2 and Blendshape V2.
"""

from __future__ import annotations

import math
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from .detector import Detection, overlap, search, sigmoid
from .models import model_path
from .net import Floats, Net

LANDMARK_SIDE: Final = 256
MARGIN: Final = 1.5
"""The landmark net sees the face with a quarter of its size around it on every side."""

PRESENCE_SCORE: Final = 0.5
MAX_FACES: Final = 8
SMALLEST_TILE: Final = 128
CLOSER: Final = (1, 2, 4, 8)
"""The whole picture first; if it shows no face, in halves of its longer side, in quarters, in eighths."""

SCORE_NAMES: Final[tuple[str, ...]] = (
    "_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft",
    "browOuterUpRight", "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft",
    "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight",
    "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft",
    "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen",
    "jawRight", "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft",
    "mouthFrownRight", "mouthFunnel", "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight",
    "mouthPressLeft", "mouthPressRight", "mouthPucker", "mouthRight", "mouthRollLower",
    "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft", "mouthSmileRight",
    "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "noseSneerLeft", "noseSneerRight",
)  # fmt: skip
"""The blendshape net's 52 outputs in its order: ARKit's names without `tongueOut`."""

_BLENDSHAPE_POINTS: Final = (
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65,
    66, 67, 70, 78, 80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136,
    144, 145, 146, 148, 149, 150, 152, 153, 154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172,
    173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263, 267, 269, 270, 276, 282, 283,
    284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318, 321, 323, 324,
    332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385,
    386, 387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472,
    473, 474, 475, 476, 477,
)  # fmt: skip
"""The 146 landmarks the blendshape net looks at: lips, eyes, brows, outline, nose line, irises."""


@dataclass(frozen=True, slots=True)
class Face:
    """One face in a picture. Pixels of that picture, integers at pixel centres; y points down.

    Attributes:
        landmarks: x, y in pixels, z in the same unit and away from the camera. float32, (478, 3).
        blendshapes: Score in [0, 1] by ARKit name, sides by the subject, without `tongueOut`.
        box: The detector's box: left, top, right, bottom.
        score: How sure the detector is, in [0, 1].
        presence: How sure the landmark net is that it sees a face, in [0, 1].
    """

    landmarks: Floats
    blendshapes: dict[str, float]
    box: tuple[float, float, float, float]
    score: float
    presence: float

    @property
    def width(self) -> float:
        """Extent of the landmarks in x, pixels."""
        return float(np.ptp(self.landmarks[:468, 0]))

    @property
    def centre(self) -> tuple[float, float]:
        """Middle of the landmarks' bounding box, pixels."""
        low, high = self.landmarks[:468, :2].min(0), self.landmarks[:468, :2].max(0)
        x, y = (low + high) / 2
        return float(x), float(y)

    @property
    def iod(self) -> float:
        """Distance between the iris centres in the picture plane, pixels."""
        return float(np.linalg.norm(self.landmarks[473, :2] - self.landmarks[468, :2]))


@dataclass(frozen=True, slots=True)
class _Square:
    """The rotated square that the landmark net looks at."""

    x: float
    y: float
    side: float
    roll: float  # radians, clockwise in the picture

    def to_net(self) -> npt.NDArray[np.float64]:
        """Affine map from picture pixels to the net's pixels. (2, 3)."""
        scale = LANDMARK_SIDE / self.side
        cos, sin = scale * math.cos(self.roll), scale * math.sin(self.roll)
        turn = np.array([[cos, sin], [-sin, cos]])
        shift = (LANDMARK_SIDE - 1) / 2 - turn @ np.array([self.x, self.y])
        return np.column_stack([turn, shift])


def find_faces(rgb: npt.NDArray[np.uint8]) -> list[Face]:
    """Return the faces of a picture, largest first, at most `MAX_FACES`.

    Args:
        rgb: The picture, sRGB. uint8, (h, w, 3).

    Raises:
        ConfigError: If the model is missing.
    """
    nets = _nets(model_path())
    faces: list[Face] = []
    for closeness in CLOSER:
        # What the detector takes for a face in the whole picture may be none: then look closer.
        if faces or max(rgb.shape[:2]) // closeness < SMALLEST_TILE and closeness > 1:
            break
        for found in search(nets.detector, rgb, closeness)[:MAX_FACES]:
            face = _measure(nets, rgb, found)
            if face is not None and not _known(face, faces):
                faces.append(face)
    return sorted(faces, key=lambda face: -face.width)


def _known(face: Face, faces: list[Face]) -> bool:
    return any(overlap(_extent(face), _extent(other)) > 0.5 for other in faces)


def track_face(rgb: npt.NDArray[np.uint8], previous: Face) -> Face | None:
    """Measure a face again, from where it was; `None` if it is not there.

    For pictures that differ little, such as the frames of a video. It skips the detector.

    Args:
        rgb: The picture, sRGB. uint8, (h, w, 3).
        previous: The face in the picture before.
    """
    nets = _nets(model_path())
    points, presence = _landmarks(nets, rgb, _square_of_landmarks(previous.landmarks))
    if presence < PRESENCE_SCORE:
        return None
    return Face(points, _blendshapes(nets, points), previous.box, previous.score, presence)


@dataclass(frozen=True, slots=True)
class _Nets:
    detector: Net
    landmarks: Net
    blendshapes: Net


@cache
def _nets(path: Path) -> _Nets:
    with zipfile.ZipFile(path) as bundle:
        names = ("face_detector", "face_landmarks_detector", "face_blendshapes")
        return _Nets(*(Net(bundle.read(f"{name}.tflite")) for name in names))


def _measure(nets: _Nets, rgb: npt.NDArray[np.uint8], found: Detection) -> Face | None:
    """Landmarks twice: the detector's square is rough, that of the first landmarks is not."""
    left, top, right, bottom = (float(v) for v in found.box)
    eyes = found.keypoints[1] - found.keypoints[0]
    side = max(right - left, bottom - top) * MARGIN
    if side < 1:
        return None
    roll = math.atan2(float(eyes[1]), float(eyes[0]))
    rough = _Square((left + right) / 2, (top + bottom) / 2, side, roll)
    points, presence = _landmarks(nets, rgb, rough)
    if presence >= PRESENCE_SCORE:
        points, presence = _landmarks(nets, rgb, _square_of_landmarks(points))
    if presence < PRESENCE_SCORE:
        return None
    box = (left, top, right, bottom)
    return Face(points, _blendshapes(nets, points), box, found.score, presence)


def _landmarks(nets: _Nets, rgb: npt.NDArray[np.uint8], square: _Square) -> tuple[Floats, float]:
    """Landmarks in picture pixels, float32 (478, 3), and the presence score."""
    to_net = square.to_net()
    size = (LANDMARK_SIDE, LANDMARK_SIDE)
    patch = cv2.warpAffine(
        rgb, to_net, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    outputs = nets.landmarks(patch[None].astype(np.float32) / 255)
    flat = next(out for out in outputs if out.size == 478 * 3).reshape(478, 3)
    # Of the two single outputs the one with four axes is the face flag, the other is the tongue.
    logit = next(float(out.item()) for out in outputs if out.shape == (1, 1, 1, 1))
    back = cv2.invertAffineTransform(to_net)
    points = np.empty((478, 3), np.float32)
    # The net counts from the patch's edge, OpenCV from its first pixel's centre.
    points[:, :2] = (flat[:, :2] - 0.5) @ back[:, :2].T + back[:, 2]
    points[:, 2] = flat[:, 2] * (square.side / LANDMARK_SIDE)
    return points, float(sigmoid(np.float32(logit)))


def _square_of_landmarks(points: Floats) -> _Square:
    """The upright-turned bounding square of the landmarks with the usual margin."""
    across = points[263, :2] - points[33, :2]
    roll = math.atan2(float(across[1]), float(across[0]))
    upright = np.array([[math.cos(roll), math.sin(roll)], [-math.sin(roll), math.cos(roll)]])
    turned = points[:, :2] @ upright.T
    low, high = turned.min(0), turned.max(0)
    x, y = upright.T @ ((low + high) / 2)
    return _Square(float(x), float(y), max(1.0, float((high - low).max()) * MARGIN), roll)


def _blendshapes(nets: _Nets, points: Floats) -> dict[str, float]:
    scores = nets.blendshapes(points[list(_BLENDSHAPE_POINTS), :2][None])[0].ravel()
    named = zip(SCORE_NAMES, scores, strict=True)
    return {name: float(score) for name, score in named if name != "_neutral"}


def _extent(face: Face) -> Floats:
    low, high = face.landmarks[:468, :2].min(0), face.landmarks[:468, :2].max(0)
    return np.concatenate([low, high])
