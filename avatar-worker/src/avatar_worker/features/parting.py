"""How far lips part: as filmed lips do, which is not quite what phonetics says.

The net learns mouths by rule. Lips that were filmed open less for rounded vowels and where the
tongue is up; three proportions say how much. They were fitted to clips of 13 people and tried on
each of them with the fit of the other 12 (`python -m training.lips`). And lips that are about to
close are already narrower: by as much as the net thinks that they are closed, which is the rule's own
law. Both change how far jaw and lips open, never how they are shaped, and never whether they are shut.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from avatar_worker.frames import MOUTH_NAMES

FloatArray = npt.NDArray[np.float32]

MEASURED: Final = {"jawOpen": 0.85, "lowerLipDown": 1.00, "mouthPucker": -0.66, "tongueUp": -0.24}
"""What each control by rule says of the opening of filmed lips. Only their proportions are
measured; the scale makes up for what mass and narrowing take from the widest mouths: the widest
twentieth of the pictures of real voices opens to .43, as it did without them."""
GAIN: Final = 1.12
"""How much farther than by rule. Lips of 13 filmed people are .25 of the distance of their eyes
apart in the widest twentieth of their pictures; ours with this gain .22 (`docs/training.md`)."""
LEAST: Final = 0.3
"""Of the opening by rule: no measurement makes a rounded vowel a shut mouth."""
CHANGES: Final = (0.4, 1.4)
"""How far the controls may be scaled before lips that are about to close narrow them."""

_OPENING: Final = {"jawOpen": 1.0, "lowerLipDown": 0.25, "upperLipUp": 0.2}
"""What the controls that open add to the opening as it is drawn."""
_FUNNEL: Final = 0.15
_CLOSE: Final = MOUTH_NAMES.index("lipClose")


def _vector(weights: dict[str, float]) -> FloatArray:
    return np.array([weights.get(name, 0.0) for name in MOUTH_NAMES], np.float32)


WANTED: Final = _vector(MEASURED)
"""`MEASURED`, for each control. float32, (12,)."""
DRAWN: Final = _vector(_OPENING)
"""What each control adds to the opening as it is drawn. float32, (12,)."""
ROUND: Final = _vector({"mouthFunnel": _FUNNEL})
"""And to how far rounded lips are apart. float32, (12,)."""
_OPENS: Final = DRAWN > 0


def part(mouths: FloatArray, measured: FloatArray = WANTED) -> FloatArray:
    """Return mouths that open as far as filmed ones.

    Args:
        mouths: By rule, weights in [0, 1]; `lipClose` is how far the net thinks they are closed.
            float32, (B, 12).
        measured: Other numbers than `MEASURED`, in `MOUTH_NAMES` order. float32, (12,).

    Returns:
        The same with other `jawOpen`, `lowerLipDown` and `upperLipUp`. float32, (B, 12).
    """
    drawn, funnel = mouths @ DRAWN, mouths @ ROUND
    wanted = np.maximum(mouths @ measured, LEAST * (drawn + funnel))
    scale = (wanted - funnel) / np.maximum(drawn, 1e-3)
    scale = np.minimum(np.maximum(scale, CHANGES[0]), CHANGES[1]) * GAIN * (1 - mouths[:, _CLOSE])
    parted: FloatArray = np.where(_OPENS, np.minimum(mouths * scale[:, None], 1), mouths)
    return parted
