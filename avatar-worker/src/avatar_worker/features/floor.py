"""The level that a recording never falls below: where it is reached, nobody speaks.

Steady noise of 15 dB below a voice is taken for somebody who speaks softly. But it is steady: five
parts of the spectrum come back to their lowest levels again and again, and in a pause all of them
lie there for the 120 ms around a picture. Where the lowest levels of the last two seconds lie far
apart, nothing is known of a floor, and nothing is said.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from .mel import BANDS

FloatArray = npt.NDArray[np.float32]

PARTS: Final = 5
REMEMBERED: Final = 50
"""Pictures, two seconds."""
FLAT: Final = (5, 0.15)
"""So many pictures above the lowest one, and how far at most: factors of ten of power, in each part."""
ABOVE: Final = (0.2, 0.4)
"""How far above the floor nobody speaks, and somebody surely does, in the part that is highest."""


EVERY: Final = 5
"""Pictures after which a floor is looked for again: it does not change faster."""

_HEARD: Final = 12  # frames of a picture
_MEANS: Final = np.kron(np.eye(PARTS), np.full((BANDS // PARTS, 1), PARTS / BANDS / _HEARD))
_PARTS: Final = _MEANS.astype(np.float32)


NOWHERE: Final[FloatArray] = np.full(PARTS, -np.inf, np.float32)
"""The floor where none is known: everything is above it."""


class Floor:
    """The floor under one voice.

    Args:
        before: Levels of the silence that it follows on. float32, (5,).
    """

    __slots__ = ("_count", "_levels", "lowest")

    def __init__(self, before: FloatArray) -> None:
        self._levels = np.repeat(before[:, None], REMEMBERED, axis=1)
        self._count = 0
        self.lowest: FloatArray = NOWHERE

    def hear(self, now: FloatArray) -> None:
        """Take the levels of the next picture, (5,); then `lowest` is the floor, (5,)."""
        self._levels[:, self._count % REMEMBERED] = now
        if self._count % EVERY == 0:
            count, far = FLAT
            low = np.partition(self._levels, (0, count), axis=1)
            flat = (low[:, count] - low[:, 0]).max() < far
            self.lowest = low[:, 0] if flat else NOWHERE
        self._count += 1


def levels(mel: FloatArray) -> FloatArray:
    """Return the mean level of each part in what is heard of a picture. (B, 12, 40) to (B, 5)."""
    heard: FloatArray = mel.sum(axis=1) @ _PARTS
    return heard


def under(still: FloatArray, heard: int) -> FloatArray:
    """Return the lowest levels of a silence, but for one in twenty. (n, 40) to (5,).

    Args:
        still: Its mel frames.
        heard: How many of them are heard of a picture.
    """
    pictures = np.stack([still[at : at + heard] for at in range(0, len(still) - heard, 4)])
    return np.quantile(levels(pictures), 0.05, axis=0).astype(np.float32)


def presence(now: FloatArray, floors: FloatArray) -> FloatArray:
    """Return whether somebody may speak: 0 at the floor, 1 above it.

    Args:
        now: Levels. float32, (B, 5).
        floors: Under the same voices. float32, (B, 5).

    Returns:
        Factors in [0, 1]. float32, (B,).
    """
    above = ((now - floors).max(axis=1) - ABOVE[0]) / (ABOVE[1] - ABOVE[0])
    there: FloatArray = np.minimum(np.maximum(above, 0), 1)
    return there
