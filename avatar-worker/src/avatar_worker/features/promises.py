"""What the net's answer must keep, whatever it hears: lips that shut on p, b, m, and rest.

These are decisions, not filters: each looks at one picture alone, so nothing is late.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from avatar_worker.frames import MOUTH_NAMES, VISEME_NAMES

FloatArray = npt.NDArray[np.float32]

SHUT: Final = ((0.0, 0.15, 1.0), (0.0, 0.28, 1.0))
"""Probability of p, b or m, and the lip closing it becomes; straight between.

The net hears a closure more surely than it says how far the lips are shut. The renderer seals lips
between .10 and .30, so the knee is where they are sealed: there .92 of the bilabials of real
voices are shut, and 4 of 100 other pictures."""
HEARD: Final = (0.05, 0.30)
"""Probability of a voice: below the first the mouth rests, above the second it speaks freely."""

_CLOSE: Final = MOUTH_NAMES.index("lipClose")
_BILABIAL: Final = VISEME_NAMES.index("PP")


def keep(mouths: FloatArray, visemes: FloatArray, voice: FloatArray | None = None) -> FloatArray:
    """Return the mouths as they are shown.

    Args:
        mouths: What the net says, weights in [0, 1]. float32, (B, 12).
        visemes: Its probabilities of the sounds. float32, (B, 15).
        voice: Its probability that somebody speaks, if it tells. float32, (B,).

    Returns:
        Weights in [0, 1]. Without a voice all are 0. float32, (B, 12).
    """
    kept = np.clip(mouths, 0, 1)
    kept[:, _CLOSE] = np.interp(visemes[:, _BILABIAL], *SHUT)
    if voice is not None:
        heard = np.clip((voice - HEARD[0]) / (HEARD[1] - HEARD[0]), 0, 1)
        kept *= (heard * heard * (3 - 2 * heard))[:, None]
    return kept
