"""The golden poses: what every renderer has to draw alike."""

from __future__ import annotations

import numpy as np

from avatar_worker.clock import Ticks
from avatar_worker.frames import CONTROL_INDEX, CONTROL_NAMES, FaceControls, HeadPose

POSES: dict[str, tuple[dict[str, float], HeadPose]] = {
    "rest": ({}, HeadPose()),
    "ah": ({"jawOpen": 0.8, "mouthLowerDown": 0.27, "mouthUpperUp": 0.17}, HeadPose()),
    "ee": ({"jawOpen": 0.2, "mouthStretch": 0.6, "mouthSmile": 0.35}, HeadPose(yaw=3.0)),
    "oh": ({"jawOpen": 0.5, "mouthFunnel": 0.56, "mouthPucker": 0.43}, HeadPose(pitch=-3.0)),
    "m": ({"jawOpen": 0.3, "mouthPress": 0.32, "mouthClose": 0.9}, HeadPose()),
    "l": ({"jawOpen": 0.36, "tongueUp": 1.0}, HeadPose(roll=2.0)),
    "blink": ({"eyeBlink": 1.0, "browInnerUp": 0.4}, HeadPose()),
    "look": ({"eyeLookOutLeft": 0.6, "eyeLookInRight": 0.6, "eyeLookDown": 0.3}, HeadPose()),
    "turn": ({"jawOpen": 0.5, "breath": 1.0}, HeadPose(9.0, 7.0, 5.0, 0.05, 0.03)),
    "turn_back": ({"eyeBlink": 0.5, "breath": -1.0}, HeadPose(-9.0, -7.0, -5.0, -0.05, -0.03)),
}


def controls(pose: str) -> FaceControls:
    """`mouthStretch` stands for `mouthStretchLeft` and `mouthStretchRight`."""
    given, head = POSES[pose]
    weights = np.zeros(len(CONTROL_NAMES), np.float32)
    for name, weight in given.items():
        for full in (name, f"{name}Left", f"{name}Right"):
            if full in CONTROL_INDEX:
                weights[CONTROL_INDEX[full]] = weight
    return FaceControls(Ticks(0), weights, head)
