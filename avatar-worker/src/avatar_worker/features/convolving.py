"""Convolutions of five taps over four frames, with eight products of matrices in place of twenty.

A convolution is a product of polynomials, and one of degree seven is known by what it is at eight
points: so frames are brought to the points, multiplied there by the taps that were brought there once,
and brought back (Toom and Cook; Winograd 1980; Lavin & Gray 2016 call this one F(4, 5)). In float32 it
rounds up to five times as coarsely as sums written out, and 1.3 times where the mean has been taken
from what the net hears: the farther frames are from 0, the more of a digit is lost in differences.

The products are asked in between, of all voices at once: `entering`, product, `between`, product,
`leaving`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from avatar_worker.compiling import compiled, inlined

from .mel import FRAMES_PER_STEP

FloatArray = npt.NDArray[np.float32]

TAPS: Final = 5
"""Frames that a convolution sees."""
POINTS: Final = FRAMES_PER_STEP + TAPS - 1
"""Points, and as many frames that four convolutions see. 8."""
_AT: Final = (0, 1, -1, 2, -2, 0.5, -0.5)  # and at infinity, where only the highest power counts
_ZERO: Final = np.float32(0)


def _powers(count: int) -> npt.NDArray[np.float64]:
    """Return the first powers of each point. (8, count)."""
    finite = [[at**power for power in range(count)] for at in _AT]
    return np.array([*finite, [0] * (count - 1) + [1]], np.float64)


_TO: Final = np.ascontiguousarray(np.linalg.inv(_powers(POINTS)).T, np.float32)
"""Eight frames to the points. (8, 8)."""
_BACK: Final = np.ascontiguousarray(_powers(FRAMES_PER_STEP).T, np.float32)
"""And products at the points back to four frames. (4, 8)."""


def at_points(kernel: npt.NDArray[np.floating]) -> FloatArray:
    """Bring a convolution's weights, (out, in, 5), to the points: (8, in, out)."""
    brought: FloatArray = np.einsum("pt,oit->pio", _powers(TAPS), kernel).astype(np.float32)
    return brought


@inlined
def _bring(eight: FloatArray, points: FloatArray, voice: int) -> None:
    """Bring the eight frames of a voice, (8, n), to the points, (8, B, n)."""
    for point in range(POINTS):
        for i in range(eight.shape[1]):
            value = _ZERO
            for frame in range(POINTS):
                value += _TO[point, frame] * eight[frame, i]
            points[point, voice, i] = value


@inlined
def _bring_back(
    said: FloatArray, voice: int, bias: FloatArray, frames: FloatArray, start: int
) -> None:
    """Bring what is said of a voice at the points, (8, B, n), to four frames, which begin at `start`.

    A bias, (n,), is added, and what is below 0 is cut off.
    """
    for frame in range(FRAMES_PER_STEP):
        for i in range(len(bias)):
            value = bias[i]
            for point in range(POINTS):
                value += _BACK[frame, point] * said[point, voice, i]
            frames[start + frame, i] = max(value, _ZERO)


@compiled
def entering(mel: FloatArray, mean: FloatArray) -> FloatArray:
    """Bring the newest eight frames of each voice to the points.

    Args:
        mel: Bands. float32, (B, 8 or more, n), contiguous.
        mean: What is taken from each band. float32, (n,).

    Returns:
        float32, (8, B, n).
    """
    start = mel.shape[1] - POINTS
    eight = np.empty((POINTS, len(mean)), np.float32)
    points = np.empty((POINTS, len(mel), len(mean)), np.float32)
    for voice in range(len(mel)):
        for frame in range(POINTS):
            for i in range(len(mean)):
                eight[frame, i] = mel[voice, start + frame, i] - mean[i]
        _bring(eight, points, voice)
    return points


@compiled
def between(said: FloatArray, bias: FloatArray, memory: FloatArray) -> FloatArray:
    """Finish a convolution, and bring its four frames behind the four before them to the points.

    Args:
        said: The products of the first convolution. float32, (8, B, n), contiguous.
        bias: Of it. float32, (n,).
        memory: Its last 4 n columns are the four frames before; the new ones take their place.
            float32, (B, 4 n or more), contiguous. Changed in place.

    Returns:
        float32, (8, B, n).
    """
    wide = len(bias)
    kept = memory.shape[1] - FRAMES_PER_STEP * wide
    eight = np.empty((POINTS, wide), np.float32)
    points = np.empty_like(said)
    for voice in range(len(memory)):
        _bring_back(said, voice, bias, eight, FRAMES_PER_STEP)
        for frame in range(FRAMES_PER_STEP):
            before = memory[voice, kept + frame * wide :]  # a slice, as in `hearing`
            for i in range(wide):
                eight[frame, i] = before[i]
                before[i] = eight[FRAMES_PER_STEP + frame, i]
        _bring(eight, points, voice)
    return points


@compiled
def leaving(said: FloatArray, bias: FloatArray) -> FloatArray:
    """Finish a convolution.

    Args:
        said: Its products. float32, (8, B, n), contiguous.
        bias: float32, (n,).

    Returns:
        Four frames of each voice, one after the other. float32, (4 B, n).
    """
    frames = np.empty((said.shape[1] * FRAMES_PER_STEP, len(bias)), np.float32)
    for voice in range(said.shape[1]):
        _bring_back(said, voice, bias, frames, voice * FRAMES_PER_STEP)
    return frames
