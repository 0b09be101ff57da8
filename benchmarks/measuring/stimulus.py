"""Sounds to measure with: bursts to find in pictures, a ruler to read positions from."""

from __future__ import annotations

import random
from typing import Final

import numpy as np
import numpy.typing as npt

RATE: Final = 24_000
TONE: Final = 1_000
PICTURE: Final = RATE // 25
BURST: Final = 3 * PICTURE
EDGE: Final = RATE * 5 // 1000
LEVEL: Final = 0.5
NOTCH_EVERY: Final = 0.1
"""Seconds from one notch of the ruler to the next."""
NOTCH: Final = 0.01
"""Seconds of silence at the end of each ruler step."""

Pcm = npt.NDArray[np.int16]


def bursts(count: int, *, seed: int) -> tuple[Pcm, list[float]]:
    """Return `count` bursts of 120 ms, and where they begin.

    They begin on multiples of 40 ms, so a picture's sound is loud as a whole or not at all. Gaps
    of 0.8 to 1.6 s are random: a run of them fits only itself.

    Returns:
        Samples at 24 kHz, and the onsets in seconds.
    """
    draw = random.Random(seed)
    places = [draw.randrange(10, 20)]
    for _ in range(count - 1):
        places.append(places[-1] + 3 + draw.randrange(20, 41))
    sound = np.zeros((places[-1] + 15) * PICTURE)
    for place in places:
        sound[place * PICTURE : place * PICTURE + BURST] = _burst()
    return _pcm(sound), [place / 25 for place in places]


def one_burst(seconds: float) -> Pcm:
    """Return a burst at the very start, then silence up to `seconds`."""
    sound = np.zeros(round(seconds * RATE))
    sound[:BURST] = _burst()
    return _pcm(sound)


def ruler(seconds: float) -> Pcm:
    """Return a tone with a notch of 10 ms before every multiple of 100 ms."""
    t = np.arange(round(seconds * RATE)) / RATE
    tone = np.sin(2 * np.pi * TONE * t)
    tone[t % NOTCH_EVERY >= NOTCH_EVERY - NOTCH - 1e-9] = 0
    return _pcm(tone)


def _burst() -> npt.NDArray[np.float64]:
    t = np.arange(BURST)
    ramp = np.clip(np.minimum(t + 1, BURST - t) / EDGE, 0, 1)
    tone: npt.NDArray[np.float64] = ramp * np.sin(2 * np.pi * TONE * t / RATE)
    return tone


def _pcm(sound: npt.NDArray[np.float64]) -> Pcm:
    return np.rint(LEVEL * 32767 * sound).astype(np.int16)
