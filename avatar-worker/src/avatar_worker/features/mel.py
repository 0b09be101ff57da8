"""Sound to log-mel bands, as it streams.

A peak follower first brings every voice to the same level, because the net was trained on one;
it looks only back. Then a little noise covers digital silence, which no microphone produces and
which the net has never heard. Frame i of the result covers samples [160 i, 160 i + 400).

`log_mel_step` serves many streams at once; `log_mel` says the same of a whole recording, slowly
and plainly, and a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from avatar_worker.frames import ANALYSIS_RATE

BANDS: Final = 40
HOP: Final = ANALYSIS_RATE // 100  # 160 samples, 10 ms
WINDOW: Final = ANALYSIS_RATE // 40  # 400 samples, 25 ms
STEP: Final = ANALYSIS_RATE // 25  # 640 samples, 40 ms: one picture
FRAMES_PER_STEP: Final = STEP // HOP  # 4
TAIL: Final = STEP // 2
"""Samples before a step that its frames still need: its last frame ends 80 samples before it does,
so its first starts 320 samples before the step. 320."""

_FFT: Final = 512
_LOWEST_HZ: Final = 60.0
_HIGHEST_HZ: Final = 7_600.0
_POWER_FLOOR: Final = 1e-6

_TARGET_PEAK: Final = 0.4
_FIRST_PEAK: Final = 0.25
_LEAST_PEAK: Final = 0.004
_PEAK_DECAY: Final = 0.9995  # a hop; half-life 14 s
_DITHER_RMS: Final = 10 ** (-65 / 20)  # -65 dBFS

_HANN: Final = np.hanning(WINDOW).astype(np.float32)
_RAMP: Final = np.linspace(0.0, 1.0, HOP, endpoint=False)

FloatArray = npt.NDArray[np.float32]


def _mel_filters() -> FloatArray:
    """Return triangles on the mel scale, each summing to 1. float32, (257, 40)."""
    low, high = (2595 * np.log10(1 + hz / 700) for hz in (_LOWEST_HZ, _HIGHEST_HZ))
    edges = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    hz = np.fft.rfftfreq(_FFT, 1 / ANALYSIS_RATE)[:, None]
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (hz - left) / (centre - left), (right - hz) / (right - centre)
    filters = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    normalised: FloatArray = filters / filters.sum(axis=0, keepdims=True)
    return normalised


_FILTERS: Final = _mel_filters()


def _bands(windows: FloatArray) -> FloatArray:
    """Turn windows of sound (..., 400) into log10 band power (..., 40)."""
    spectrum = np.fft.rfft(windows * _HANN, _FFT)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    bands: FloatArray = np.log10(power @ _FILTERS + np.float32(_POWER_FLOOR))
    return bands


class MelStream:
    """What one voice has left behind: its level and its last samples.

    Args:
        seed: Of the noise that covers silence.
        dither: Root mean square of that noise, full scale 1; 0 leaves silence as it is.
    """

    __slots__ = ("_dither", "_seed", "gain", "noise", "peak", "tail")

    def __init__(self, *, seed: int = 0, dither: float = _DITHER_RMS) -> None:
        self._seed = seed
        self._dither = dither
        self.reset()

    def reset(self) -> None:
        """Forget the voice: what comes next follows on silence, at the level assumed at first."""
        self.noise = np.random.default_rng(self._seed)
        self.peak = _FIRST_PEAK
        self.gain: float | None = None
        self.tail = self.hiss(TAIL)

    def hiss(self, samples: int) -> FloatArray:
        """Return the next noise. float32, (samples,)."""
        if not self._dither:
            return np.zeros(samples, np.float32)
        return self.noise.standard_normal(samples, np.float32) * np.float32(self._dither)

    def level(self, pcm: FloatArray) -> FloatArray:
        """Bring one step to the trained level. float32 in, float32 out, (640,)."""
        blocks = pcm.reshape(FRAMES_PER_STEP, HOP)
        gains = np.empty(FRAMES_PER_STEP + 1)
        for i, loudest in enumerate(np.abs(blocks).max(axis=1).tolist()):
            self.peak = max(self.peak * _PEAK_DECAY, loudest, _LEAST_PEAK)
            gains[i + 1] = _TARGET_PEAK / self.peak
        gains[0] = gains[1] if self.gain is None else self.gain
        self.gain = float(gains[-1])
        ramped = gains[:-1, None] * (1 - _RAMP) + gains[1:, None] * _RAMP
        return (blocks * ramped).reshape(-1).astype(np.float32)


def log_mel_step(streams: Sequence[MelStream], pcm: Sequence[FloatArray]) -> FloatArray:
    """Take 40 ms of each voice and return the four mel frames that it completes.

    Args:
        streams: B voices, each once.
        pcm: Their next samples in [-1, 1], 16 kHz. B arrays, float32, (640,).

    Returns:
        log10 band power. float32, (B, 4, 40). At the n-th step (n = 0, 1, ...) row i is mel frame
        4 n - 2 + i; frames before 0 begin in the silence that came before.
    """
    sound = np.empty((len(streams), TAIL + STEP), np.float32)
    for row, (stream, samples) in enumerate(zip(streams, pcm, strict=True)):
        sound[row, :TAIL] = stream.tail
        sound[row, TAIL:] = stream.level(samples) + stream.hiss(STEP)
        stream.tail = sound[row, STEP:].copy()
    windows = np.lib.stride_tricks.sliding_window_view(sound, WINDOW, axis=1)
    return _bands(windows[:, : FRAMES_PER_STEP * HOP : HOP])


def log_mel(pcm: FloatArray, *, seed: int = 0, dither: float = _DITHER_RMS) -> FloatArray:
    """Return the mel frames of a whole recording: the slow twin of `log_mel_step`.

    Args:
        pcm: Samples in [-1, 1], 16 kHz. float32, (n,).
        seed: As in `MelStream`.
        dither: As in `MelStream`.

    Returns:
        log10 band power of frames 0, 1, ... float32, (max(0, 1 + (n - 400) // 160), 40).
    """
    noise = np.random.default_rng(seed)
    noise.standard_normal(TAIL if dither else 0, np.float32)
    peak, previous = _FIRST_PEAK, None
    levelled = np.zeros(len(pcm), np.float32)
    for start in range(0, len(pcm), HOP):
        block = pcm[start : start + HOP]
        peak = max(peak * _PEAK_DECAY, float(np.abs(block).max()), _LEAST_PEAK)
        gain = _TARGET_PEAK / peak
        came_from = gain if previous is None else previous
        for i, sample in enumerate(block.tolist()):
            levelled[start + i] = sample * (came_from + (gain - came_from) * i / HOP)
        previous = gain
    levelled += noise.standard_normal(len(pcm), np.float32) * np.float32(dither)
    starts = range(0, len(pcm) - WINDOW + 1, HOP)
    frames = [_bands(levelled[start : start + WINDOW]) for start in starts]
    return np.stack(frames) if frames else np.zeros((0, BANDS), np.float32)
