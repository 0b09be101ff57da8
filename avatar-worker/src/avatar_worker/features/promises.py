"""What the net's answer must keep, whatever it hears: lips that shut on p, b, m, and rest.

These are decisions, not filters: each looks at one picture alone, so nothing is late.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from avatar_worker.frames import MOUTH_NAMES

FloatArray = npt.NDArray[np.float32]

SHUT: Final = (0.30, 0.60)
"""Lip closing that the net says: below the first the lips stay apart, above the second they are
shut. Half-shut lips are nothing that speech has."""
HEARD: Final = (0.20, 0.55)
"""Probability of a voice: below the first the mouth rests, above the second it speaks freely."""

_CLOSE: Final = MOUTH_NAMES.index("lipClose")


def _step(edges: tuple[float, float], x: FloatArray) -> FloatArray:
    """Return 0 below the first edge, 1 above the second, smooth between."""
    t = np.clip((x - edges[0]) / (edges[1] - edges[0]), 0, 1)
    stepped: FloatArray = (t * t * (3 - 2 * t)).astype(np.float32)
    return stepped


def keep(mouths: FloatArray, voice: FloatArray) -> FloatArray:
    """Return the mouths as they are shown.

    Args:
        mouths: What the net says, weights in [0, 1]. float32, (B, 12).
        voice: Its probability that somebody speaks. float32, (B,).

    Returns:
        Weights in [0, 1]. Without a voice all are 0. float32, (B, 12).
    """
    kept = np.clip(mouths, 0, 1)
    kept[:, _CLOSE] = _step(SHUT, kept[:, _CLOSE])
    kept *= _step(HEARD, voice)[:, None]
    return kept
