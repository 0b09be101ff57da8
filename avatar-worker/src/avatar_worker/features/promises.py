"""What the net's answer must keep, whatever it hears: lips that shut on p, b, m, and rest."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from avatar_worker.frames import MOUTH_NAMES

FloatArray = npt.NDArray[np.float32]

SHUT: Final = ((0.0, 0.20, 1.0), (0.0, 0.28, 1.0))
"""Probability of p, b or m, and the lip closing it becomes; straight between.

The net hears a closure more surely than it says how far the lips are shut. The renderer seals lips
between .10 and .30, so the knee is where they are sealed: there .92 of the bilabials of real
voices are shut, and 2 of 100 other pictures."""
HEARD: Final = (0.01, 0.08)
"""Probability of a voice: below the first the mouth rests, above the second it speaks freely."""

_CLOSE: Final = MOUTH_NAMES.index("lipClose")


def shut(sure: FloatArray) -> FloatArray:
    """Return the lip closing for how surely p, b or m is heard. (B,) to (B,), both in [0, 1]."""
    closing: FloatArray = np.interp(sure, *SHUT).astype(np.float32)
    return closing


def heard(voice: FloatArray) -> FloatArray:
    """Return how freely a mouth moves, for the probability that somebody speaks. (B,) to (B,)."""
    freely = (voice - HEARD[0]) / (HEARD[1] - HEARD[0])
    moves: FloatArray = np.minimum(np.maximum(freely, 0), 1)
    return moves


def keep(mouths: FloatArray, closing: FloatArray, moves: FloatArray) -> FloatArray:
    """Return the mouths as they are shown.

    Args:
        mouths: What the net says, weights in [0, 1]. float32, (B, 12).
        closing: How far the lips are shut, in [0, 1]. float32, (B,).
        moves: How freely each moves, in [0, 1]; 0 is rest. float32, (B,).

    Returns:
        Weights in [0, 1]. float32, (B, 12).
    """
    kept: FloatArray = mouths * moves[:, None]
    kept[:, _CLOSE] = closing * moves
    return kept
