"""A picture and the one before it: what opens or narrows has mass, a closing is a peak.

The net speaks of every picture as it would of a photograph. Lips have mass: they do not open for
40 ms and no longer, and they part more slowly than they meet. And they do not close weakly for
long: a probability of p, b or m that was higher a moment ago belongs to a closing that has had
its own picture. Nothing here waits for the picture after.

With 40 ms of look-ahead the net guesses closings before it has heard them out. What it says of the
picture before, now that it has, is there at the same moment and costs no delay: a closing that was
guessed counts less, and one that was missed is shown in the next picture.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from avatar_worker.frames import MOUTH_NAMES, VISEME_NAMES

FloatArray = npt.NDArray[np.float32]

BEFORE: Final = 0.4
"""What the picture before counts in how far lips open. Closings are not delayed by it: how far the
net thinks lips are closed only narrows them, and p, b and m shut them (`promises`)."""
FLANK: Final = 0.3
"""What is left of a closing that was surer in the picture before."""
TEETH: Final = 0.8
"""How much f and v speak against p, b and m, for which the net takes them at times."""
GUESSED: Final = 0.7
"""What a closing counts that has not been heard out."""
MISSED: Final = 0.6
"""What one of the picture before counts that has."""
RELEASE: Final = 0.2
"""How far lips are still shut, of how far they were: half sealed at most, where they were sealed."""

_FOR: Final = np.zeros(len(VISEME_NAMES), np.float32)
_FOR[VISEME_NAMES.index("PP")], _FOR[VISEME_NAMES.index("FF")] = 1, -TEETH
HEAVY: Final = np.isin(
    MOUTH_NAMES,
    ("jawOpen", "lowerLipDown", "upperLipUp", "mouthFunnel", "mouthPucker", "lipClose"),
)
"""Which controls open, round or narrow the lips. bool, (12,)."""
_BEFORE: Final = np.where(HEAVY, np.float32(BEFORE), np.float32(0))
_NOW: Final = 1 - _BEFORE


def steadied(now: FloatArray, before: FloatArray) -> FloatArray:
    """Return mouths that open, round and narrow no faster than lips do.

    Args:
        now: What the net says, weights. float32, (B, 12).
        before: What it said of the picture before; 0 at rest. float32, (B, 12).

    Returns:
        Weights, float32, (B, 12). All that only shapes them stays as it is.
    """
    steady: FloatArray = now * _NOW + before * _BEFORE
    return steady


def sureness(visemes: FloatArray) -> FloatArray:
    """Return how much speaks for p, b or m. (B, 15) probabilities to (B,), in [0, 1]."""
    sure: FloatArray = np.maximum(visemes @ _FOR, 0)
    return sure


def guessed(now: FloatArray, before: FloatArray) -> FloatArray:
    """Return the sureness of closings with 40 ms of look-ahead. (B,), in [0, 1].

    Args:
        now: Of this picture, not heard out. float32, (B,).
        before: Of the picture before, heard out. float32, (B,).
    """
    sure: FloatArray = np.maximum(GUESSED * now, MISSED * before)
    return sure


def peaks(now: FloatArray, before: FloatArray) -> FloatArray:
    """Return the sureness of closings; where it falls, only `FLANK` of it is left. (B,)."""
    left: FloatArray = now * np.where(now < before, np.float32(FLANK), np.float32(1))
    return left


def released(now: FloatArray, before: FloatArray) -> FloatArray:
    """Return how far lips are shut that were shut so far in the picture before. (B,)."""
    shut: FloatArray = np.maximum(now, RELEASE * before)
    return shut
