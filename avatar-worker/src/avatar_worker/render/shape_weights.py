"""From face controls to what every renderer draws with: weights, gaze, head, moving layers.

Pure arithmetic on small arrays. All renderers share it, so that they can only differ in raster.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from avatar_worker.avatars import Avatar
from avatar_worker.frames import CONTROL_INDEX, FaceControls, HeadPose

Vector = tuple[float, float]

SEAL_FROM: Final = 0.10
SEAL_FULL: Final = 0.30
"""`mouthClose` at which the lips begin to meet, and at which they have met."""

OPENING: Final = ("upperUp", "lowerDown", "funnel", "stretch")
"""Shapes, by the start of their names, that part the lips beside the jaw."""

IN_OUT_DEG: Final = 30.0
UP_DEG: Final = 25.0
DOWN_DEG: Final = 30.0
"""Angles that weight 1 of `eyeLook*` stands for."""

MOST_ASIDE_DEG: Final = 20.0
MOST_UP_DEG: Final = 12.0
MOST_DOWN_DEG: Final = 18.0
MOST_CONVERGENCE_DEG: Final = 1.0

LID_FROM: Final = 0.10
LID_FULL: Final = 0.70
"""Weight of a blink at which the lid's own texture begins to show, and at which it does fully."""

LIDS: Final = {"lid_l": "blinkL", "lid_r": "blinkR"}
"""Texture of a closing lid, and the shape that closes it."""

FOLDS: Final = {
    "fold_l": ("smileL",),
    "fold_r": ("smileR",),
    "furrow": ("browDownL", "browDownR"),
}
"""Texture of the skin's folds, and the shapes whose mean makes it show."""

FOLD_FROM: Final = 0.16
FOLD_FULL: Final = {"fold_l": 0.9, "fold_r": 0.9, "furrow": 0.55}
"""That mean, where a fold begins to show, and where it does fully. A smile asks for no more than .62
of its shape: folds as dark as they can be look like the edge of a mask."""

FOLD_STEPS: Final = 16
"""A fold deepens in so many steps: each is fainter than can be seen, and costs painting."""

GLINT_SHARE: Final = 0.3
"""How far the highlight travels with the iris."""

_ONE: Final = np.float32(1)
_CLOSE: Final = CONTROL_INDEX["mouthClose"]
_TONGUE_UP: Final = CONTROL_INDEX["tongueUp"]
_TONGUE_OUT: Final = CONTROL_INDEX["tongueOut"]
_LOOKS: Final = tuple(
    CONTROL_INDEX[f"eyeLook{way}{side}"]
    for side in ("Left", "Right")
    for way in ("Out", "In", "Down", "Up")
)


@dataclass(frozen=True, slots=True)
class Interior:
    """How far the parts behind the slits travel.

    Attributes:
        mouth_down: Unit vector from the upper to the lower lip, image axes.
        jaw_px: Travel of the lower teeth at `jawOpen` shape weight 1, canvas pixels.
        tongue_jaw_px: Travel of the tongue at `jawOpen` shape weight 1.
        tongue_up_px: Rise of the tongue at `tongueUp` or `tongueOut` 1.
        gaze_px: Shift of the iris is this times the sine of the angle.
    """

    mouth_down: Vector
    jaw_px: float
    tongue_jaw_px: float
    tongue_up_px: float
    gaze_px: float


@dataclass(frozen=True, slots=True)
class Drive:
    """What one picture is drawn with.

    Attributes:
        weights: Shape weights; [0, 1], `breath` [-1, 1], `close` 1. float32, (K,).
        head: The pose, within the avatar's limits.
        shifts: Travel of every moving layer on the texture plane by role, canvas pixels.
        lids: How far each texture of a lid or a fold covers the skin's, by role, [0, 1].
    """

    weights: npt.NDArray[np.float32]
    head: HeadPose
    shifts: Mapping[str, Vector]
    lids: Mapping[str, float] = field(default_factory=dict)


def interior_of(avatar: Avatar) -> Interior:
    """Read the interior's travels from the manifest; what is not said follows the eyes' distance."""
    rig = avatar.manifest.get("rig")
    given: Mapping[str, Any] = rig.get("interior", {}) if isinstance(rig, Mapping) else {}
    unit = avatar.subject.iod_px
    down = given.get("mouth_down", (0.0, 1.0))
    return Interior(
        mouth_down=(float(down[0]), float(down[1])),
        jaw_px=float(given.get("jaw_px", 0.46 * unit)),
        tongue_jaw_px=float(given.get("tongue_jaw_px", 0.46 * unit)),
        tongue_up_px=float(given.get("tongue_up_px", 0.11 * unit)),
        gaze_px=float(given.get("gaze_px", 0.16 * unit)),
    )


class Driver:
    """Turns face controls into a `Drive` for one avatar. Keeps nothing between pictures."""

    def __init__(self, avatar: Avatar) -> None:
        """Look the names up once."""
        rig = avatar.rig
        index = {name: k for k, name in enumerate(rig.shapes)}
        self._matrix = np.ascontiguousarray(rig.arkit_to_shape, np.float32)
        self._floor = np.zeros(len(rig.shapes), np.float32)
        if "breath" in index:
            self._floor[index["breath"]] = -1.0
        self._close = index.get("close")
        self._jaw = index.get("jawOpen")
        self._seal = index.get("seal")
        self._opening = np.array(
            [k for name, k in index.items() if name.startswith(OPENING)], np.intp
        )
        self._lids = {
            role: index[shape]
            for role, shape in LIDS.items()
            if role in avatar.layers and shape in index
        }
        self._folds = {
            role: tuple(index[shape] for shape in shapes)
            for role, shapes in FOLDS.items()
            if role in avatar.layers and all(shape in index for shape in shapes)
        }
        self._limit = avatar.subject.pose_limit_deg
        self._interior = interior_of(avatar)

    def drive(self, controls: FaceControls) -> Drive:
        """Say what to draw. What is not finite counts as 0."""
        # Lists of Python's numbers: asking an array for one number costs as much as adding all up.
        given, said = controls.weights, controls.weights.tolist()
        if not math.isfinite(sum(said)):
            given = np.where(np.isfinite(given), given, np.float32(0))
            said = given.tolist()
        weights = given @ self._matrix
        np.maximum(weights, self._floor, out=weights)
        np.minimum(weights, _ONE, out=weights)
        found = weights.tolist()
        jaw = found[self._jaw] if self._jaw is not None else 0.0
        seal = smoothstep(SEAL_FROM, SEAL_FULL, said[_CLOSE])
        if seal:
            weights[self._opening] *= 1.0 - seal
        if self._seal is not None:
            weights[self._seal] = jaw * seal
        if self._close is not None:
            weights[self._close] = 1.0
        shifts = {**self._mouth_shifts(jaw, said), **self._eye_shifts(said)}
        lids = {role: smoothstep(LID_FROM, LID_FULL, found[k]) for role, k in self._lids.items()}
        for role, shapes in self._folds.items():
            mean = sum(found[k] for k in shapes) / len(shapes)
            depth = smoothstep(FOLD_FROM, FOLD_FULL[role], mean)
            lids[role] = round(depth * FOLD_STEPS) / FOLD_STEPS
        return Drive(weights, clamp_pose(controls.head, self._limit), shifts, lids)

    def _mouth_shifts(self, jaw: float, said: Sequence[float]) -> dict[str, Vector]:
        inside = self._interior
        x, y = inside.mouth_down
        teeth = inside.jaw_px * jaw
        # From the front, a tongue between the teeth is a raised one.
        raised = _clamp(max(said[_TONGUE_UP], said[_TONGUE_OUT]), 0.0, 1.0)
        tongue = inside.tongue_jaw_px * jaw - inside.tongue_up_px * raised
        return {"teeth_lower": (x * teeth, y * teeth), "tongue": (x * tongue, y * tongue)}

    def _eye_shifts(self, said: Sequence[float]) -> dict[str, Vector]:
        shifts, reach = {}, self._interior.gaze_px
        for side, (aside, down) in zip("lr", gaze_angles(said), strict=True):
            x, y = reach * math.sin(math.radians(aside)), reach * math.sin(math.radians(down))
            shifts[f"iris_{side}"] = (x, y)
            shifts[f"glint_{side}"] = (GLINT_SHARE * x, GLINT_SHARE * y)
        return shifts


def gaze_angles(weights: Sequence[float]) -> tuple[Vector, Vector]:
    """Where the eyes look: (aside, down) of the subject's left eye, then of the right, in degrees.

    Positive is to image right and downwards. Both eyes share one direction, the mean of what is
    said about them, but may converge or part by `MOST_CONVERGENCE_DEG` each.

    Args:
        weights: Control weights, in `CONTROL_NAMES` order, 54.
    """
    out_l, in_l, down_l, up_l, out_r, in_r, down_r, up_r = (
        _clamp(weights[k], 0.0, 1.0) for k in _LOOKS
    )
    left, right = IN_OUT_DEG * (out_l - in_l), IN_OUT_DEG * (in_r - out_r)
    down = 0.5 * (DOWN_DEG * (down_l + down_r) - UP_DEG * (up_l + up_r))
    down = _clamp(down, -MOST_UP_DEG, MOST_DOWN_DEG)
    aside = _clamp(0.5 * (left + right), -MOST_ASIDE_DEG, MOST_ASIDE_DEG)
    apart = _clamp(0.5 * (left - right), -MOST_CONVERGENCE_DEG, MOST_CONVERGENCE_DEG)
    return (aside + apart, down), (aside - apart, down)


def clamp_pose(head: HeadPose, limit_deg: tuple[float, float, float]) -> HeadPose:
    """Bring a pose within the avatar's limits; what is not finite becomes 0."""
    yaw, pitch, roll = limit_deg
    return HeadPose(
        yaw=_within(head.yaw, yaw),
        pitch=_within(head.pitch, pitch),
        roll=_within(head.roll, roll),
        x=_within(head.x, 1.0),
        y=_within(head.y, 1.0),
    )


def smoothstep(start: float, end: float, value: float) -> float:
    """Rise from 0 at `start` to 1 at `end` without a kink."""
    t = _clamp((value - start) / (end - start), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def _within(value: float, limit: float) -> float:
    return _clamp(value, -limit, limit) if math.isfinite(value) else 0.0


def _clamp(value: float, low: float, high: float) -> float:
    return low if value < low else high if value > high else value
