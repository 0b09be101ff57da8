"""How high and how loud a voice is: pitch by normalised autocorrelation, every 20 ms.

Causal, and cheap because it works at 4 kHz, where a voice's fundamental and its first
overtones are all that is left. De Cheveigne & Kawahara (2002) compare such methods; ours is the
plain one with a voicing decision, for prosody needs contours and not cents.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from avatar_worker.compiling import compiled
from avatar_worker.frames import ANALYSIS_RATE, Tone

from .mel import STEP

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

PITCH_RANGE_HZ: Final = (70.0, 400.0)
SILENCE_DB: Final = -90.0
"""The level of digital silence."""
QUIET_DB: Final = -55.0
"""Below this there is no voice to measure."""

_DECIMATION: Final = 4
_RATE: Final = ANALYSIS_RATE // _DECIMATION  # 4000
_TAPS: Final = 33
_WINDOW: Final = 160  # 40 ms at 4 kHz: three periods of the lowest voice
_LAGS: Final = (9, 59)  # 444 to 68 Hz; one beyond the range on either side
_HOP: Final = STEP // _DECIMATION // 2  # 80: 20 ms
_KEPT: Final = _WINDOW + _LAGS[1]  # 219 samples before a step
_HEARD: Final = _KEPT + 2 * _HOP
_HALF: Final = STEP // 2
_ASKED: Final = _LAGS[1] - _LAGS[0] + 1  # 51
_MANY: Final = 56  # eight times seven, for eight are multiplied at a time
_AT_ONCE: Final = 8  # products that are added before a sum is put back
_VOICED: Final = 0.55
_OCTAVE: Final = 0.88
_JUMP: Final = 1.3


def _low_pass() -> Floats:
    """A windowed sinc that passes below 900 Hz. float32, (33,)."""
    t = np.arange(_TAPS) - (_TAPS - 1) / 2
    taps = np.sinc(2 * 900 / ANALYSIS_RATE * t) * np.hamming(_TAPS)
    return np.asarray(taps / taps.sum(), np.float32)


_LOW_PASS: Final = _low_pass()


class ToneStream:
    """One voice. What it says of a moment is measured over the 55 ms before that moment."""

    __slots__ = ("_last_hz", "_likeness", "_rows", "_said", "_sound", "_squares", "_tail")

    def __init__(self) -> None:
        self._rows = np.empty((_DECIMATION, (STEP + _TAPS - 1) // _DECIMATION), np.float32)
        self._squares = np.empty(_HEARD + 1)
        self._likeness = np.empty((2, _MANY), np.float32)
        self._said = np.empty((2, 2))
        self.reset()

    def reset(self) -> None:
        """Forget what was heard."""
        self._tail = np.zeros(_TAPS - 1, np.float32)
        self._sound = np.zeros(_HEARD, np.float32)
        self._last_hz = 0.0

    def step(self, pcm: Floats) -> tuple[Tone, Tone]:
        """Hear 40 ms.

        Args:
            pcm: Samples in [-1, 1], 16 kHz. float32, (640,).

        Returns:
            The first 20 ms and the second.

        Raises:
            ValueError: If the samples are of another shape.
        """
        if pcm.shape != (STEP,):
            raise ValueError(f"a step is {STEP} samples, not {pcm.shape}")
        _hear(pcm, self._tail, self._sound, self._rows, self._squares, self._likeness, self._said)
        first, second = map(self._tone, *self._said.tolist())
        return first, second

    def _tone(self, hz: float, level_db: float) -> Tone:
        hz = hz if level_db > QUIET_DB else 0.0
        before, self._last_hz = self._last_hz, hz
        # A pitch that stands alone, or an octave away from its neighbour, is a mistake.
        steady = before > 0 and 1 / _JUMP < hz / before < _JUMP
        return Tone(hz if steady else 0.0, level_db)


@compiled
def _hear(
    pcm: Floats,
    tail: Floats,
    sound: Floats,
    rows: Floats,
    squares: Doubles,
    likeness: Floats,
    said: Doubles,
) -> None:
    """Say how high and how loud both halves of a step are: (2, 2). The rest as below."""
    _follow(pcm, tail, sound, rows)
    _pitches(sound, squares, likeness, said[0])
    _levels(pcm, said[1])


@compiled
def _levels(pcm: Floats, db: Doubles) -> None:
    """Say how loud both halves of a step are, (2,), dB."""
    first = second = 0.0
    for i in range(_HALF):
        first += np.float64(pcm[i]) ** 2
        second += np.float64(pcm[_HALF + i]) ** 2
    db[0], db[1] = 10 * math.log10(first / _HALF + 1e-9), 10 * math.log10(second / _HALF + 1e-9)
    for half in range(2):
        db[half] = min(0.0, max(SILENCE_DB, db[half]))


@compiled
def _follow(pcm: Floats, tail: Floats, sound: Floats, rows: Floats) -> None:
    """Append a step to the sound at 4 kHz: every fourth sample, through the low pass.

    Args:
        pcm: Samples at 16 kHz. (640,).
        tail: The 32 before them. Changed in place.
        sound: The newest 379 at 4 kHz. Changed in place.
        rows: Room for every fourth sample in each of four rows: there a tap meets 160 of them side
            by side. (4, 168).
    """
    old = len(tail) // _DECIMATION
    for row in range(_DECIMATION):
        for i in range(old):
            rows[row, i] = tail[_DECIMATION * i + row]
        for i in range(2 * _HOP):
            rows[row, old + i] = pcm[_DECIMATION * i + row]
    for i in range(len(tail)):
        tail[i] = pcm[STEP - len(tail) + i]
    for i in range(_KEPT):
        sound[i] = sound[2 * _HOP + i]
    for i in range(2 * _HOP):
        sound[_KEPT + i] = 0
    for tap in range(_TAPS):
        row, shift = tap % _DECIMATION, tap // _DECIMATION
        for i in range(2 * _HOP):
            sound[_KEPT + i] += rows[row, shift + i] * _LOW_PASS[tap]


@compiled
def _pitches(sound: Floats, squares: Doubles, likeness: Floats, hz: Doubles) -> None:
    """Say how high the voice is at the end of both halves of a step.

    Args:
        sound: The newest 379 at 4 kHz.
        squares: Room for their squares, summed from the start. (380,).
        likeness: Room for how alike 40 ms are to what was before, and for products, the longest lag
            first. (2, 56), of which 51 are used.
        hz: Becomes the pitches, 0 without a voice. (2,).
    """
    squares[0] = 0
    for i in range(_HEARD):
        squares[i + 1] = squares[i] + np.float64(sound[i]) * np.float64(sound[i])
    alike, products = likeness[0], likeness[1]
    for half in range(2):
        end = _HEARD - _HOP + half * _HOP
        start = end - _WINDOW
        far, energy = start - _LAGS[1], squares[end] - squares[start]
        for n in range(_MANY):
            products[n] = 0
        for i in range(0, _WINDOW, _AT_ONCE):
            for n in range(_MANY):
                total = products[n]
                for at in range(i, i + _AT_ONCE):
                    total += sound[start + at] * sound[far + at + n]
                products[n] = total
        for n in range(_ASKED):
            before = squares[far + n + _WINDOW] - squares[far + n]
            alike[_ASKED - 1 - n] = np.float64(products[n]) / math.sqrt(energy * before + 1e-9)
        hz[half] = _pitch(alike)


@compiled
def _pitch(likeness: Floats) -> float:
    """Return the pitch of one moment in Hz, 0 without a voice. `likeness` is (51,)."""
    last = _ASKED - 1
    best = likeness[1]
    for at in range(2, last):
        best = likeness[at] if likeness[at] > best else best
    if best < _VOICED:
        return 0.0
    # Two periods are as alike as one: take the shortest that is about as good.
    for at in range(1, last):
        left, top, right = likeness[at - 1], likeness[at], likeness[at + 1]
        if top > _OCTAVE * best and top >= left and top > right:
            bend = np.float64(left) - 2 * np.float64(top) + np.float64(right)
            shift = 0.5 * (np.float64(left) - np.float64(right)) / bend if bend < 0 else 0.0
            hz = _RATE / (_LAGS[0] + at + shift)
            return hz if PITCH_RANGE_HZ[0] <= hz <= PITCH_RANGE_HZ[1] else 0.0
    return 0.0
