"""Criteria 5 and 10: lids that close wholly and evenly, a gaze that arrives where it is sent."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from .finding import Finding
from .poses import EXPRESSIONS, face
from .regions import hull, luma, slit_area, widened
from .stage import Floats, Stage

BLINK_STEPS: Final = 11
CLOSED: Final = 0.02
SLACK: Final = 0.005
"""A step of a blink may open the eye by this share and still count as closing."""

IRIS: Final = {"l": 473, "r": 468}
IRIS_RIM: Final = {"l": (474, 475, 476, 477), "r": (469, 470, 471, 472)}


def blinks_are_complete(stage: Stage) -> list[Finding]:
    """Criterion 5: the eyeball disappears, step by step, in both eyes alike, behind skin."""
    course = {}
    for side in ("l", "r"):
        shows = [
            float(stage.opened(f"lid_{side}", face({"eyeBlink": float(w)})).sum())
            for w in np.linspace(0, 1, BLINK_STEPS)
        ]
        course[side] = np.array(shows) / max(shows[0], 1.0)
    rest = {side: float(values[-1]) for side, values in course.items()}
    back = {side: float(np.diff(values).max()) for side, values in course.items()}
    worst, worse = max(rest, key=lambda s: rest[s]), max(back, key=lambda s: back[s])
    lag = float(np.abs(course["l"] - course["r"]).max())
    return [
        Finding(5, "blink: eyeball that still shows", rest[worst], None, CLOSED, "", worst),
        Finding(5, "blink: opens on the way", max(0.0, back[worse]), None, SLACK, "", worse),
        Finding(5, "blink: left and right differ", lag, None, 0.2),
        *(_lid_light(stage, side) for side in ("l", "r")),
    ]


def _lid_light(stage: Stage, side: str) -> Finding:
    """How bright the closed lid is, beside the skin under the eye."""
    avatar, u = stage.avatar, stage.avatar.subject.iod_px
    picture = luma(stage.picture(face(EXPRESSIONS["blink"])))
    eye = slit_area(avatar, f"lid_{side}")
    rows = np.flatnonzero(eye.any(1))
    if len(rows) < 2:
        return Finding(5, f"blink: light of lid {side}, of skin", float("nan"), 0.6, 1.15)
    down = round(0.20 * u)
    below = np.zeros_like(eye)
    below[down:] = eye[:-down]
    below &= ~widened(eye, 0.04 * u) & hull(avatar)
    if not below.any():
        return Finding(5, f"blink: light of lid {side}, of skin", float("nan"), 0.6, 1.15)
    value = float(np.median(picture[eye]) / max(1.0, np.median(picture[below])))
    return Finding(5, f"blink: light of lid {side}, of skin", value, 0.6, 1.15)


def gaze_arrives(stage: Stage) -> list[Finding]:
    """Criterion 10: the iris moves as far as it is told."""
    rest = luma(stage.picture(face({})))
    found = []
    for side in ("l", "r"):
        ways, told = [], []
        for name in ("look left", "look right"):
            pose = face(EXPRESSIONS[name])
            moved = _iris_way(stage, side, rest, luma(stage.picture(pose)))
            ways.append(moved)
            told.append(stage.gaze(pose)[side][0])
        gain = (ways[0] - ways[1]) / (told[0] - told[1]) if told[0] != told[1] else float("nan")
        found.append(Finding(10, f"gaze: iris {side} moves, of what is told", gain, 0.8, 1.1))
    return found


def _iris_way(stage: Stage, side: str, rest: Floats, moved: Floats) -> float:
    """How far the iris went aside, pixels: where its own picture is found again."""
    avatar = stage.avatar
    centre = avatar.rig.landmarks[IRIS[side], :2].astype(np.float64)
    rim = avatar.rig.landmarks[list(IRIS_RIM[side]), :2].astype(np.float64)
    radius = float(np.linalg.norm(rim - centre, axis=1).mean())
    eye = slit_area(avatar, f"lid_{side}")
    y, x = np.mgrid[: rest.shape[0], : rest.shape[1]]
    area = (np.hypot(x - centre[0], y - centre[1]) < 1.25 * radius) & eye
    area = cv2.erode(area.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    if area.sum() < 12:
        return float("nan")
    y, x = np.nonzero(area)
    template = rest[y, x] - rest[y, x].mean()
    best, least = 0.0, np.inf
    reach = 1.3 * radius
    for dx in np.arange(-reach, reach + 0.01, 0.25):
        place = x + dx
        inside = eye[y, np.clip(np.rint(place).astype(int), 0, rest.shape[1] - 1)]
        if inside.sum() < 0.5 * len(x):
            continue
        left = np.clip(np.floor(place).astype(int), 0, rest.shape[1] - 2)
        share = place - left
        found = moved[y, left] * (1 - share) + moved[y, left + 1] * share
        error = float((np.abs(found - found[inside].mean() - template)[inside]).mean())
        if error < least:
            best, least = float(dx), error
    return best
