"""Pauses found by their sound, so that rest can be measured on speech that nobody has labelled.

A pause is where a recording is at its own floor, and the floor is far below the speech: then there
is no soft word in it, and no other voice. Labels cannot say that: they know the words of one person.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from avatar_worker.frames import ANALYSIS_RATE

from .metrics import AT_REST, Prediction
from .targets import PICTURE
from .units import FloatArray

BELOW_DB: Final = 15.0
ABOVE_FLOOR_DB: Final = 6.0
SHORTEST_S: Final = 0.3
INSIDE_S: Final = 0.12
"""Lips have this long to come to rest, and may leave it as much earlier."""

_FRAME: Final = ANALYSIS_RATE // 100
_WIDE: Final = 5  # frames over which the level is taken
_EMPHASIS: Final = 0.97  # soft fricatives count, rumble does not
_SPEECH_DB: Final = 20.0  # what is that far below the loudest twentieth is no speech
_LEAST: Final = 1e-10


def levels(pcm: FloatArray) -> FloatArray:
    """Return how loud 50 ms around each hundredth of a second are, high sounds lifted. dB, (n,)."""
    lifted = np.append(pcm[:1], pcm[1:] - _EMPHASIS * pcm[:-1])
    count = len(lifted) // _FRAME
    power = np.square(lifted[: count * _FRAME]).reshape(count, _FRAME).mean(axis=1)
    smooth: FloatArray = np.convolve(power, np.full(_WIDE, 1 / _WIDE), "same")[:count]
    return 10 * np.log10(smooth + _LEAST)


def pauses(pcm: FloatArray) -> list[tuple[float, float]]:
    """Return where a recording of speech pauses: starts and ends in seconds.

    Args:
        pcm: 16 kHz. float32, (n,).

    Returns:
        Stretches of at least `SHORTEST_S` that are within `ABOVE_FLOOR_DB` of the floor and at least
        `BELOW_DB` below the speech; none where the floor itself is louder than that.
    """
    if len(pcm) < _WIDE * _FRAME:
        return []
    level = levels(pcm)
    spoken = level[level >= np.percentile(level, 95) - _SPEECH_DB]
    speech = 10 * np.log10(np.mean(10 ** (spoken / 10)))
    still = level < min(speech - BELOW_DB, np.percentile(level, 5) + ABOVE_FLOOR_DB)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], still.astype(np.int8), [0]])))
    found = [(int(a) / 100, int(b) / 100) for a, b in edges.reshape(-1, 2)]
    return [(a, b) for a, b in found if b - a >= SHORTEST_S - 1e-9]


def rest_in_pauses(sounds: Sequence[FloatArray], heard: Sequence[Prediction]) -> tuple[float, int]:
    """Return the share of pictures at rest `INSIDE_S` inside pauses, and how many there are.

    The share is nan if there are none.
    """
    still = total = 0
    for pcm, prediction in zip(sounds, heard, strict=True):
        times = np.arange(len(prediction)) * PICTURE
        for start, end in pauses(pcm):
            deep = (times > start + INSIDE_S) & (times < end - INSIDE_S)
            still += int((prediction.aperture[deep] < AT_REST).sum())
            total += int(deep.sum())
    return (still / total if total else float("nan")), total
