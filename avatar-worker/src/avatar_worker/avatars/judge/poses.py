"""The faces that the judge asks for, as controls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from avatar_worker.clock import Ticks
from avatar_worker.frames import CONTROL_INDEX, CONTROL_NAMES, FaceControls, HeadPose

Pose = Mapping[str, float]
"""Weights by control; a name without its side stands for both."""

REST: Final[Pose] = {}

VISEMES: Final[dict[str, Pose]] = {
    "A": {"jawOpen": 0.8, "mouthLowerDown": 0.27, "mouthUpperUp": 0.17, "mouthStretch": 0.08},
    "E": {"jawOpen": 0.44, "mouthLowerDown": 0.35, "mouthUpperUp": 0.23, "mouthStretch": 0.44},
    "I": {
        "jawOpen": 0.2, "mouthLowerDown": 0.35, "mouthUpperUp": 0.23, "mouthStretch": 0.6,
        "mouthSmile": 0.37,
    },
    "O": {"jawOpen": 0.5, "mouthFunnel": 0.56, "mouthPucker": 0.43},
    "U": {"jawOpen": 0.12, "mouthFunnel": 0.18, "mouthPucker": 0.87, "mouthLowerDown": 0.08},
    "MBP": {"jawOpen": 0.2, "mouthClose": 0.6, "mouthPress": 0.3},
    "FV": {"jawOpen": 0.06, "mouthRollLower": 1.0, "mouthUpperUp": 0.37},
    "TH": {"jawOpen": 0.26, "mouthLowerDown": 0.27, "mouthUpperUp": 0.2, "tongueUp": 0.9},
    "L": {"jawOpen": 0.36, "mouthLowerDown": 0.23, "mouthUpperUp": 0.2, "tongueUp": 1.0},
    "S": {"jawOpen": 0.09, "mouthLowerDown": 0.38, "mouthUpperUp": 0.27, "mouthStretch": 0.32},
    "SH": {"jawOpen": 0.14, "mouthFunnel": 0.6, "mouthPucker": 0.3},
    "R": {"jawOpen": 0.24, "mouthFunnel": 0.36, "mouthPucker": 0.3},
    "K": {"jawOpen": 0.34, "mouthLowerDown": 0.23, "mouthUpperUp": 0.14},
}  # fmt: skip
"""What a voice makes of the sounds of speech."""

CLOSED: Final[dict[str, Pose]] = {
    "rest": REST,
    "m": {"mouthClose": 0.35},
    "b": {"jawOpen": 0.3, "mouthClose": 0.5, "mouthPress": 0.4},
    "p": {"jawOpen": 0.5, "mouthClose": 0.8, "mouthPress": 0.6},
    "m after a": {
        "jawOpen": 0.8, "mouthClose": 0.4, "mouthLowerDown": 0.27, "mouthUpperUp": 0.17,
    },
    "smile": {"mouthSmile": 0.8},
}  # fmt: skip
"""Lips that have to be closed."""

EXPRESSIONS: Final[dict[str, Pose]] = {
    "blink": {"eyeBlink": 1.0},
    "half blink": {"eyeBlink": 0.5},
    "smile": {"mouthSmile": 0.8, "cheekSquint": 0.4},
    "wonder": {"browOuterUp": 0.7, "browInnerUp": 0.7, "eyeWide": 0.5},
    "frown": {"browDown": 0.7, "eyeSquint": 0.5, "mouthFrown": 0.4},
    "look left": {"eyeLookOutLeft": 0.5, "eyeLookInRight": 0.5},
    "look right": {"eyeLookInLeft": 0.5, "eyeLookOutRight": 0.5},
    "look up": {"eyeLookUp": 0.4},
    "look down": {"eyeLookDown": 0.5},
}

EXTREMES: Final[dict[str, Pose]] = {
    "yawn": {"jawOpen": 1.0},
    "shout": {
        "jawOpen": 1.0, "mouthLowerDown": 1.0, "mouthUpperUp": 1.0, "mouthStretch": 1.0,
        "mouthSmile": 1.0,
    },
    "round": {"jawOpen": 1.0, "mouthFunnel": 1.0, "mouthPucker": 1.0},
    "bitten": {
        "jawOpen": 1.0, "mouthClose": 1.0, "mouthPress": 1.0, "mouthRollLower": 1.0,
        "mouthRollUpper": 1.0,
    },
    "kiss": {"mouthPucker": 1.0, "mouthPress": 1.0, "mouthRollLower": 1.0},
    "scowl": {"eyeBlink": 1.0, "browDown": 1.0, "eyeSquint": 1.0, "mouthFrown": 1.0},
    "stare": {"eyeWide": 1.0, "browOuterUp": 1.0, "browInnerUp": 1.0, "eyeLookUp": 1.0},
    "aside": {"mouthLeft": 1.0, "jawLeft": 1.0, "cheekPuff": 1.0},
    "breath": {"breath": 1.0},
}  # fmt: skip
"""Corners of the controls' box."""


def face(pose: Pose, head: HeadPose | None = None, number: int = 0) -> FaceControls:
    """Return the controls of a pose.

    Args:
        pose: Weights by name.
        head: The head's pose; by default as in the photo.
        number: Which picture of a row it is.

    Raises:
        KeyError: If a name is no control.
    """
    weights = np.zeros(len(CONTROL_NAMES), np.float32)
    for name, value in pose.items():
        for full in (name,) if name in CONTROL_INDEX else (f"{name}Left", f"{name}Right"):
            weights[CONTROL_INDEX[full]] = value
    return FaceControls(Ticks(1920 * number), weights, head or HeadPose())


def blend(start: Pose, end: Pose, share: float) -> Pose:
    """Return the pose between two others; `share` 0 is the first."""
    names = {**start, **end}
    return {n: (1 - share) * start.get(n, 0.0) + share * end.get(n, 0.0) for n in names}
