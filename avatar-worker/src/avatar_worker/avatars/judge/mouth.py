"""Criteria 1, 7, 8 and 9: lips that close, light and teeth behind them, the order of the vowels."""

from __future__ import annotations

from typing import Final

import numpy as np

from .finding import Finding
from .poses import CLOSED, VISEMES, face
from .regions import carried, hull, layer_plane, luma
from .stage import Floats, Stage

RESIDUE: Final = 0.005
GAP_U: Final = 0.01
TEETH_JAWS: Final = (0.3, 0.45, 0.6, 0.75)
TEETH_STEPS: Final = 21
FEWEST_PIXELS: Final = 40
BAND: Final = 0.12
SHIFTS: Final = np.arange(-1.5, 1.51, 0.25)


def lips_close(stage: Stage) -> list[Finding]:
    """Criterion 1: in silence and on m b p nothing of the inside shows."""
    avatar = stage.avatar
    full = float(stage.opened("mouth", face(VISEMES["A"])).sum())
    left, gap = {}, {}
    for name, pose in CLOSED.items():
        shows = stage.opened("mouth", face(pose))
        left[name] = float(shows.sum()) / max(full, 1.0)
        gap[name] = float(shows.sum(0).max()) / avatar.subject.iod_px
    worst, widest = max(left, key=lambda n: left[n]), max(gap, key=lambda n: gap[n])
    return [
        Finding(1, "closed lips: inside that shows, of A", left[worst], None, RESIDUE, "", worst),
        Finding(1, "closed lips: widest gap", gap[widest], None, GAP_U, "u", widest),
    ]


def light_in_the_mouth(stage: Stage) -> list[Finding]:
    """Criterion 7: dark, but no hole; teeth no brighter than skin."""
    pose = face(VISEMES["A"])
    skin = float(np.median(luma(stage.picture(face({})))[hull(stage.avatar)]))
    inside = luma(stage.picture(pose))[stage.opened("mouth", pose) > 0.9]
    if len(inside) < FEWEST_PIXELS:
        return [Finding(7, "light in the mouth: pixels of A", float(len(inside)), FEWEST_PIXELS)]
    dark, middle, bright = np.percentile(inside, (5, 50, 95))
    return [
        Finding(7, "light in the mouth: darkest", float(dark), 5.0, None, "luma"),
        Finding(7, "light in the mouth: middle, of skin", float(middle) / skin, 0.2, 0.5),
        Finding(7, "light in the mouth: brightest, of skin", float(bright) / skin, None, 1.15),
    ]


def teeth_are_rigid(stage: Stage) -> list[Finding]:
    """Criterion 8: upper teeth stand still in the head, keep their light, appear steadily."""
    alpha = layer_plane(stage.avatar, "teeth_upper", 3) / 255
    poses = [face({"jawOpen": jaw, "mouthUpperUp": 0.3}) for jaw in TEETH_JAWS]
    seen = np.min([stage.opened("mouth", pose) * alpha for pose in poses], axis=0) > 0.97
    shift = spread = float("nan")
    if seen.sum() >= FEWEST_PIXELS:
        pictures = np.stack([luma(stage.picture(pose)) for pose in poses])
        values = pictures[:, seen]
        spread = float((values.std(0) / np.maximum(values.mean(0), 1.0)).mean())
        shift = max(_shift(pictures[0], other, seen) for other in pictures[1:])
    areas = []
    for jaw in np.linspace(0, 1, TEETH_STEPS):
        pose = face({"jawOpen": float(jaw), "mouthUpperUp": 0.3 * float(jaw)})
        areas.append(float((stage.opened("mouth", pose) * alpha).sum()))
    largest = max(areas)
    jump = float(np.abs(np.diff(areas)).max()) / largest if largest >= FEWEST_PIXELS else 0.0
    return [
        Finding(8, "teeth: slide in the head", shift, None, 0.5, "px"),
        Finding(8, "teeth: change of light", spread, None, 0.05),
        Finding(8, "teeth: largest step of the visible area", jump, None, 0.25),
    ]


def shapes_keep_their_order(stage: Stage) -> list[Finding]:
    """Criterion 9: symmetric controls open symmetrically; widths and areas are ordered."""
    open_a = stage.opened("mouth", face(VISEMES["A"]))
    slit = next(s for s in stage.avatar.rig.slits if s.name == "mouth")
    left, right = (
        slit.contour[0].astype(float),
        slit.contour[(len(slit.contour)) // 2].astype(float),
    )
    widths = {name: _width(stage, name) for name in ("U", "O", "A", "I")}
    areas = {name: float(stage.opened("mouth", face(VISEMES[name])).sum()) for name in "AEI"} | {
        "MBP": float(stage.opened("mouth", face(VISEMES["MBP"])).sum())
    }
    heights = [_height(open_a, left, right, s) for s in (-0.4, 0.4)]
    skew = abs(heights[0] - heights[1]) / max(max(heights), 1.0)
    return [
        Finding(9, "A: heights left and right differ, of the larger", skew, None, 0.1),
        Finding(9, "widths U < O < A < I: smallest step", _least_step(widths), 0.0, None, "", _told(widths)),
        Finding(9, "areas MBP < I < E < A: smallest step", _least_step(
            {n: areas[n] / max(areas["A"], 1.0) for n in ("MBP", "I", "E", "A")}), 0.0),
    ]  # fmt: skip


def _width(stage: Stage, viseme: str) -> float:
    """Distance of the mouth's corners, in `u`."""
    avatar = stage.avatar
    slit = next(s for s in avatar.rig.slits if s.name == "mouth")
    mesh = next(m for m in avatar.rig.meshes if m.name == slit.mesh)
    ends = slit.contour[[0, len(slit.contour) // 2]].astype(np.float64)
    placed = stage.placed(face(VISEMES[viseme]))[mesh.name, "upper"]
    a, b = carried(mesh, placed, ends)
    return float(np.linalg.norm(b - a)) / avatar.subject.iod_px


def _height(shows: Floats, left: Floats, right: Floats, s: float) -> float:
    """Mean height of the opening in a band around `s` of its half width, across the mouth's line."""
    along = (right - left) / 2
    half = float(np.hypot(*along))
    y, x = np.nonzero(shows > 0)
    place = (np.stack([x, y], -1) - (left + right) / 2) @ along / half**2
    band = np.abs(place - s) < BAND
    return float(shows[y[band], x[band]].sum()) / (2 * BAND * half)


def _least_step(values: dict[str, float]) -> float:
    return float(np.diff(list(values.values())).min())


def _told(values: dict[str, float]) -> str:
    return " ".join(f"{name} {value:.2f}" for name, value in values.items())


def _shift(before: Floats, after: Floats, area: Floats) -> float:
    """How far the texture in `area` has moved, pixels; 0 where nothing fits better than at rest."""
    y, x = np.nonzero(area)
    if not len(x):
        return 0.0
    rest = before[y, x] - before[y, x].mean()
    best, least = (0.0, 0.0), np.inf
    for dy in SHIFTS:
        for dx in SHIFTS:
            found = _between(after, x + dx, y + dy)
            error = float(((found - found.mean() - rest) ** 2).sum())
            # Ties go to the smaller shift.
            if error < 0.98 * least or (error < least and np.hypot(dx, dy) < np.hypot(*best)):
                best, least = (float(dx), float(dy)), min(error, least)
    return float(np.hypot(*best))


def _between(picture: Floats, x: Floats, y: Floats) -> Floats:
    x0 = np.clip(np.floor(x).astype(int), 0, picture.shape[1] - 2)
    y0 = np.clip(np.floor(y).astype(int), 0, picture.shape[0] - 2)
    fx, fy = x - x0, y - y0
    upper = picture[y0, x0] * (1 - fx) + picture[y0, x0 + 1] * fx
    lower = picture[y0 + 1, x0] * (1 - fx) + picture[y0 + 1, x0 + 1] * fx
    return np.asarray(upper * (1 - fy) + lower * fy)
