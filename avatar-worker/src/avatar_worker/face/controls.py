"""The net's mouth controls, spelled in ARKit's words.

The weights stay in ARKit's sense: how far a rig moves at weight 1 is the avatar's affair
(`Rig.arkit_to_shape`). Closing is different: people notice lips that miss on p, b and m before
anything else, so the renderer seals the lips by smoothstep(.10, .30, `mouthClose`) and whatever
opens the mouth must give way here.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from avatar_worker.frames import CONTROL_INDEX, CONTROL_NAMES, MOUTH_NAMES, VISEME_NAMES, Features

from .curves import smoothstep

SEAL: Final = (0.10, 0.30)
"""`mouthClose` from which, and at which, the renderer's lips are sealed."""

_SILENCE_CLOSES: Final = (0.6, 0.9)
"""Probability of silence from which, and at which, the lips are closed."""

_SPELLING: Final[dict[str, tuple[tuple[str, ...], float]]] = {
    "jawOpen": (("jawOpen",), 1.0),
    "lipClose": (("mouthClose",), 1.0),
    "mouthFunnel": (("mouthFunnel",), 1.0),
    "mouthPucker": (("mouthPucker",), 1.0),
    "mouthStretch": (("mouthStretchLeft", "mouthStretchRight"), 1.0),
    "mouthSmile": (("mouthSmileLeft", "mouthSmileRight"), 1.0),
    "mouthPress": (("mouthPressLeft", "mouthPressRight"), 1.0),
    "lowerLipDown": (("mouthLowerDownLeft", "mouthLowerDownRight"), 1.0),
    "upperLipUp": (("mouthUpperUpLeft", "mouthUpperUpRight"), 1.0),
    "rollLower": (("mouthRollLower",), 1.0),
    "tongueUp": (("tongueUp",), 1.0),
    "tongueOut": (("tongueOut",), 1.0),
}
"""For each control of the net: the ARKit weights that carry it, and the factor."""

_OPENING: Final = ("jawOpen", "mouthFunnel", "lowerLipDown", "upperLipUp", "tongueOut")
"""What parts the lips: scaled by the size of the mouth, and undone by silence."""


def _matrix() -> npt.NDArray[np.float32]:
    """Return the spelling as a matrix. float32, (12, 54)."""
    matrix = np.zeros((len(MOUTH_NAMES), len(CONTROL_NAMES)), np.float32)
    for row, name in enumerate(MOUTH_NAMES):
        words, gain = _SPELLING[name]
        for word in words:
            matrix[row, CONTROL_INDEX[word]] = gain
    return matrix


_MATRIX: Final = _matrix()
_PARTS: Final = np.isin(MOUTH_NAMES, _OPENING)
_CLOSE: Final = MOUTH_NAMES.index("lipClose")
_SILENT: Final = VISEME_NAMES.index("sil")


def spell(features: Features, *, open_scale: float = 1.0) -> npt.NDArray[np.float32]:
    """Return the face weights that say what the net says about the mouth.

    Args:
        features: The net's answer for this picture.
        open_scale: Factor on everything that parts the lips.

    Returns:
        Weights in [0, 1], in `CONTROL_NAMES` order; all but the mouth are 0. float32, (54,).
    """
    mouth = features.mouth.copy()
    silence = smoothstep(*_SILENCE_CLOSES, float(features.visemes[_SILENT]))
    mouth[_PARTS] *= open_scale * (1 - silence)
    mouth[_CLOSE] = max(float(mouth[_CLOSE]), silence)
    weights: npt.NDArray[np.float32] = np.clip(mouth @ _MATRIX, 0, 1)
    return weights


def seal(mouth_close: float) -> float:
    """Return how far the renderer seals the lips, 0 to 1."""
    return smoothstep(*SEAL, mouth_close)
