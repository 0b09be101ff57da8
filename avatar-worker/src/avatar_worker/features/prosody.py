"""How high and how loud a voice is: pitch by normalised autocorrelation, every 20 ms.

Causal, and cheap because it works at 4 kHz, where a voice's fundamental and its first
overtones are all that is left. De Cheveigne & Kawahara (2002) compare such methods; ours is the
plain one with a voicing decision, for prosody needs contours and not cents.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

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
        low = sliding_window_view(raw, _TAPS)[::_DECIMATION] @ _LOW_PASS
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
    power = np.square(pcm.reshape(2, -1)).mean(axis=1)
    decibels: list[float] = (10 * np.log10(power + 1e-9)).tolist()
    return [min(0.0, max(SILENCE_DB, level)) for level in decibels]


def _likeness(sound: Floats) -> Floats:
    """Return how alike the newest sound is to itself some time before; float32, (2, 51).

    Args:
        sound: At 4 kHz; the last 80 samples are the second half of a step. float32, (379,).
    """
    newest = sliding_window_view(sound, _WINDOW)
    ends = (len(newest) - 1 - _HOP, len(newest) - 1)
    past = np.stack([newest[end - _LAGS[1] : end - _LAGS[0] + 1][::-1] for end in ends])
    now = np.stack([newest[end] for end in ends])
    product = np.matmul(past, now[:, :, None])[:, :, 0]
    squares = np.concatenate([[0.0], np.cumsum(np.square(sound), dtype=np.float64)])
    energy = squares[_WINDOW:] - squares[:-_WINDOW]
    before = np.stack([energy[end - _LAGS[1] : end - _LAGS[0] + 1][::-1] for end in ends])
    own = energy[list(ends)][:, None]
    alike: Floats = (product / np.sqrt(own * before + 1e-9)).astype(np.float32)
    return alike


def _pitch(likeness: Floats) -> float:
    """Return the pitch of one moment in Hz, 0 without a voice. `likeness` is (51,)."""
    inner = likeness[1:-1]
    peaks = np.flatnonzero((inner >= likeness[:-2]) & (inner > likeness[2:])) + 1
    if not len(peaks):
        return 0.0
    heights = likeness[peaks]
    best = float(heights.max())
    if best < _VOICED:
        return 0.0
    # Two periods are as alike as one: take the shortest that is about as good.
    at = int(peaks[np.argmax(heights > _OCTAVE * best)])
    left, top, right = (float(likeness[at + i]) for i in (-1, 0, 1))
    bend = left - 2 * top + right
    shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
    hz = _RATE / (_LAGS[0] + at + shift)
    low, high = PITCH_RANGE_HZ
    return hz if low <= hz <= high else 0.0
