"""From the controls that a voice or a camera gives to the weights of the rig's shapes."""

from __future__ import annotations

from itertools import combinations
from typing import Final

import numpy as np
import numpy.typing as npt

from avatar_worker.avatars.judge.poses import EXPRESSIONS, EXTREMES, VISEMES, face
from avatar_worker.frames import CONTROL_INDEX, CONTROL_NAMES

from .measures import Measures
from .shapes import SHAPES

OF_A_SMILE: Final = 0.6
"""Share of rounding and of more smiling that a mouth bears whose photo smiles broadly already."""

SMILE: Final = 0.58
SMILING_EYES: Final = 0.22
"""Of a smile: what the corners of the mouth take, and what the lower lids do with the cheeks."""

UNDER_GLASSES: Final = 0.4
"""Share of the brows' motion that a frame bears."""

BOTH: Final = ("Left", "Right")

MOUTH_GAINS: Final[dict[str, dict[str, float]]] = {
    "jawOpen": {"jawOpen": 0.5},
    "mouthFunnel": {"funnel": 1.25},
    "mouthPucker": {"pucker": 1.15},
    "mouthRollLower": {"lowerIn": 0.8},
    "mouthRollUpper": {"rollUpper": 0.8},
    "mouthShrugLower": {"press": 0.3},
    "mouthShrugUpper": {"upperUp": 0.2},
    "cheekPuff": {"cheekPuff": 1.0},
    "tongueOut": {"lowerDown": 0.25, "upperUp": 0.1},
    **{f"mouthStretch{side}": {"stretch": 0.625} for side in BOTH},
    **{f"mouthDimple{side}": {"stretch": 0.2} for side in BOTH},
    **{f"mouthPress{side}": {"press": 0.85} for side in BOTH},
    **{f"mouthLowerDown{side}": {"lowerDown": 0.65} for side in BOTH},
    **{f"mouthUpperUp{side}": {"upperUp": 0.75} for side in BOTH},
    **{f"noseSneer{side}": {"upperUp": 0.15} for side in BOTH},
    **{f"mouthSmile{side}": {f"smile{side[0]}": SMILE} for side in BOTH},
    **{f"mouthFrown{side}": {f"frown{side[0]}": 1.0} for side in BOTH},
    **{f"mouth{side}": {f"mouth{side[0]}": 1.0} for side in BOTH},
    **{f"jaw{side}": {f"mouth{side[0]}": 0.5} for side in BOTH},
}
"""Gains that are scaled by the width of the mouth: the shapes grow with the eyes' distance."""

FACE_GAINS: Final[dict[str, dict[str, float]]] = {
    "browInnerUp": {"browInnerUp": 1.0},
    "breath": {"breath": 1.0},
    **{f"browOuterUp{side}": {f"browUp{side[0]}": 1.0} for side in BOTH},
    **{f"browDown{side}": {f"browDown{side[0]}": 1.0} for side in BOTH},
    **{f"eyeSquint{side}": {f"squint{side[0]}": 1.0} for side in BOTH},
    **{f"cheekSquint{side}": {f"squint{side[0]}": 0.4} for side in BOTH},
    **{f"eyeWide{side}": {f"eyeWide{side[0]}": 1.0} for side in BOTH},
    **{f"eyeBlink{side}": {f"blink{side[0]}": 1.0} for side in BOTH},
    **{f"mouthSmile{side}": {f"squint{side[0]}": SMILING_EYES} for side in BOTH},
    # The upper lid rides on the eyeball: it follows a look up or down.
    **{f"eyeLookDown{side}": {f"blink{side[0]}": 0.4} for side in BOTH},
    **{f"eyeLookUp{side}": {f"eyeWide{side[0]}": 0.7} for side in BOTH},
}


def amplitude(m: Measures) -> float:
    """How large mouth shapes are on this mouth; 1 where it is .8 of the eyes' distance wide."""
    return float(np.clip(m.mouth.half_width / (0.40 * m.u), 0.75, 1.15))


def arkit_to_shape(m: Measures, *, brows: float = 1.0) -> npt.NDArray[np.float32]:
    """Return the matrix that turns controls into shape weights. float32, (54, K).

    Args:
        m: The face.
        brows: How much the brows move; less under glasses, whose frame would bend.
    """
    matrix = np.zeros((len(CONTROL_NAMES), len(SHAPES)), np.float32)
    held_back = {"brow": brows}
    if m.toothy:
        held_back |= dict.fromkeys(("pucker", "funnel", "smile"), OF_A_SMILE)
    for gains, factor in ((MOUTH_GAINS, amplitude(m)), (FACE_GAINS, 1.0)):
        for control, shapes in gains.items():
            for shape, gain in shapes.items():
                held = next((h for start, h in held_back.items() if shape.startswith(start)), 1.0)
                matrix[CONTROL_INDEX[control], SHAPES.index(shape)] = gain * factor * held
    return matrix


def box_weights(matrix: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float64]]:
    """Return shape weights at corners of the controls' box: what nobody may fold. (K,) each.

    What a voice says, the extremes, every control alone and every pair of the mouth's. Poses with
    closed lips are left out: what seals them is up to the renderer.
    """
    poses = [*VISEMES.values(), *EXPRESSIONS.values(), *EXTREMES.values()]
    poses += [{name: 1.0} for name in CONTROL_NAMES]
    mouth = [n for n in CONTROL_NAMES if n.startswith(("jaw", "mouth")) and n != "jawForward"]
    poses += [{a: 1.0, b: 1.0} for a, b in combinations(mouth, 2)]
    weights = []
    for pose in poses:
        if pose.get("mouthClose", 0.0) > 0:
            continue
        found = np.clip(face(pose).weights.astype(np.float64) @ matrix, 0.0, 1.0)
        found[SHAPES.index("close")] = 1.0
        weights.append(found)
    return weights
