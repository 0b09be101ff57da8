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

from avatar_worker.frames import ANALYSIS_RATE, Tone

from .mel import STEP

Floats = npt.NDArray[np.float32]

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
_VOICED: Final = 0.55
_OCTAVE: Final = 0.88
_JUMP: Final = 1.3


def _low_pass() -> Floats:
    """A windowed sinc that passes below 900 Hz. float32, (33,)."""
    t = np.arange(_TAPS) - (_TAPS - 1) / 2
    taps = np.sinc(2 * 900 / ANALYSIS_RATE * t) * np.hamming(_TAPS)
    return np.asarray(taps / taps.sum(), np.float32)


_LOW_PASS: Final = _low_pass()
_NOTHING: Final = np.zeros(1)


class ToneStream:
    """One voice. What it says of a moment is measured over the 55 ms before that moment."""

    __slots__ = ("_last_hz", "_sound", "_tail")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget what was heard."""
        self._tail = np.zeros(_TAPS - 1, np.float32)
        self._sound = np.zeros(_WINDOW + _LAGS[1], np.float32)
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
        raw = np.concatenate([self._tail, pcm])
        self._tail = raw[STEP:]
        low = np.convolve(raw, _LOW_PASS, "valid")[::_DECIMATION]
        self._sound = np.concatenate([self._sound[-(_WINDOW + _LAGS[1]) :], low])
        levels = _levels(pcm)
        likeness = _likeness(self._sound)
        first, second = (
            self._tone(row, level) for row, level in zip(likeness, levels, strict=True)
        )
        return first, second

    def _tone(self, likeness: Floats, level_db: float) -> Tone:
        hz = _pitch(likeness) if level_db > QUIET_DB else 0.0
        before, self._last_hz = self._last_hz, hz
        # A pitch that stands alone, or an octave away from its neighbour, is a mistake.
        steady = before > 0 and 1 / _JUMP < hz / before < _JUMP
        return Tone(hz if steady else 0.0, level_db)


def _levels(pcm: Floats) -> list[float]:
    """Return the level of both halves, dB."""
    half = STEP // 2
    power = [float(np.dot(part, part)) / half for part in (pcm[:half], pcm[half:])]
    return [min(0.0, max(SILENCE_DB, 10 * math.log10(p + 1e-9))) for p in power]


def _likeness(sound: Floats) -> list[Floats]:
    """Return how alike both halves of the newest sound are to what was before, 51 lags each.

    Args:
        sound: At 4 kHz; the last 80 samples are the second half of a step. float32, (379,).
    """
    squares = np.concatenate([_NOTHING, np.cumsum(np.square(sound), dtype=np.float64)])
    energy = squares[_WINDOW:] - squares[:-_WINDOW]
    alike = []
    for end in (len(sound) - _HOP, len(sound)):
        start = end - _WINDOW
        first, last = start - _LAGS[1], start - _LAGS[0]
        now, past = sound[start:end], sound[first : last + _WINDOW]
        # Longest lag first, so the answer is turned round.
        product = np.correlate(past, now, "valid")[::-1]
        scale = np.sqrt(energy[start] * energy[first : last + 1][::-1] + 1e-9)
        alike.append((product / scale).astype(np.float32))
    return alike


def _pitch(likeness: Floats) -> float:
    """Return the pitch of one moment in Hz, 0 without a voice. `likeness` is (51,)."""
    heights = likeness[1:-1]
    best = float(heights.max())
    if best < _VOICED:
        return 0.0
    # Two periods are as alike as one: take the shortest that is about as good.
    good = (heights > _OCTAVE * best) & (heights >= likeness[:-2]) & (heights > likeness[2:])
    at = int(good.argmax()) + 1
    if not good[at - 1]:
        return 0.0
    left, top, right = (float(likeness[at + i]) for i in (-1, 0, 1))
    bend = left - 2 * top + right
    shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
    hz = _RATE / (_LAGS[0] + at + shift)
    low, high = PITCH_RANGE_HZ
    return hz if low <= hz <= high else 0.0
