"""Sound to log-mel bands, plainly.

A peak follower first brings every voice to the same level, because the net was trained on one;
it looks only back. Then a little noise covers digital silence, which no microphone produces and
which the net has never heard. Frame i of the result covers samples [160 i, 160 i + 400).

`hearing` does it as sound streams, for many voices at once; `log_mel` says the same of a whole
recording, slowly, and a test holds the two together.
"""

from __future__ import annotations

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

FFT: Final = 512
_LOWEST_HZ: Final = 60.0
_HIGHEST_HZ: Final = 7_600.0
POWER_FLOOR: Final = 1e-6

TARGET_PEAK: Final = 0.4
FIRST_PEAK: Final = 0.25
LEAST_PEAK: Final = 0.004
PEAK_DECAY: Final = 0.9995  # a hop; half-life 14 s
DITHER_RMS: Final = 10 ** (-65 / 20)  # -65 dBFS
# Four seconds, over and over: a whole number of steps, so that no step wraps around.
NOISE: Final = np.random.default_rng(0).standard_normal(100 * STEP, np.float32)

HANN: Final = np.hanning(WINDOW).astype(np.float32)

FloatArray = npt.NDArray[np.float32]


def _mel_filters() -> FloatArray:
    """Return triangles on the mel scale, each summing to 1. float32, (257, 40)."""
    low, high = (2595 * np.log10(1 + hz / 700) for hz in (_LOWEST_HZ, _HIGHEST_HZ))
    edges = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    hz = np.fft.rfftfreq(FFT, 1 / ANALYSIS_RATE)[:, None]
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (hz - left) / (centre - left), (right - hz) / (right - centre)
    filters = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    normalised: FloatArray = filters / filters.sum(axis=0, keepdims=True)
    return normalised


FILTERS: Final = _mel_filters()


def log_mel(pcm: FloatArray, *, dither: float = DITHER_RMS) -> FloatArray:
    """Return the mel frames of a whole recording: the slow twin of `hearing`.

    Args:
        pcm: Samples in [-1, 1], 16 kHz. float32, (n,).
        dither: Root mean square of the noise that covers silence, full scale 1; 0 for none.

    Returns:
        log10 band power of frames 0, 1, ... float32, (max(0, 1 + (n - 400) // 160), 40).
    """
    peak, previous = FIRST_PEAK, None
    levelled = np.zeros(len(pcm), np.float32)
    for start in range(0, len(pcm), HOP):
        block = pcm[start : start + HOP]
        peak = max(peak * PEAK_DECAY, float(np.abs(block).max()), LEAST_PEAK)
        gain = TARGET_PEAK / peak
        came_from = gain if previous is None else previous
        for i, sample in enumerate(block.tolist()):
            levelled[start + i] = sample * (came_from + (gain - came_from) * i / HOP)
        previous = gain
    levelled += np.resize(NOISE, len(pcm)) * np.float32(dither)
    starts = range(0, len(pcm) - WINDOW + 1, HOP)
    spectra = (np.fft.rfft(levelled[start : start + WINDOW] * HANN, FFT) for start in starts)
    powers = ((np.abs(spectrum) ** 2).astype(np.float32) @ FILTERS for spectrum in spectra)
    frames = [np.log10(power + np.float32(POWER_FLOOR)) for power in powers]
    return np.stack(frames) if frames else np.zeros((0, BANDS), np.float32)
