"""What is kept of a voice from one picture to the next.

A stream holds its record as bytes. To lay many of them one after the other is a copy of memory,
and the compiled loops see the fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from avatar_worker.frames import MOUTH_NAMES

from .floor import PARTS, REMEMBERED
from .hearing import EAR
from .mel import BANDS

Bytes = npt.NDArray[np.uint8]
Voices = npt.NDArray[np.void]

HISTORY: Final = 8
"""Mel frames that the next ones follow on."""

VOICE: Final = np.dtype(
    [
        ("ear", EAR),
        ("history", "f4", (HISTORY, BANDS)),
        # The floor: levels of the last pictures, how many there were, and the lowest.
        ("levels", "f4", (PARTS, REMEMBERED)),
        ("count", "i4"),
        ("lowest", "f4", (PARTS,)),
        # Of the picture before: what the net said, how sure a closing was, how far it shut.
        ("said", "f4", (len(MOUTH_NAMES),)),
        ("sure", "f4"),
        ("shut", "f4"),
    ],
    align=True,
)


def together(kept: Sequence[Bytes]) -> Voices:
    """Lay records one after the other; they are copied. B times (n,) bytes to (B,)."""
    return np.ndarray(len(kept), VOICE, np.concatenate(kept))


def apart(voices: Voices) -> list[Bytes]:
    """Return the record of each voice, in the same memory. (B,) to B times (n,) bytes."""
    return list(np.ndarray((len(voices), VOICE.itemsize), np.uint8, voices))
