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

import cv2
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
_NOISE: Final = np.random.default_rng(0).standard_normal(100 * STEP, np.float32)

HANN: Final = np.hanning(WINDOW).astype(np.float32)
_RAMP: Final = np.linspace(0.0, 1.0, HOP, endpoint=False, dtype=np.float32)

# More voices would not fit into the processor's cache, and take twice as long each.
_AT_ONCE: Final = 8

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
# OpenCV packs a spectrum as Re 0, Re 1, Im 1, ..., Re 255, Im 255, Re 256: squared and summed in
# pairs it is the power, and the sum can be left to the filters.
_PACKED_FILTERS: Final = np.concatenate([FILTERS[:1], np.repeat(FILTERS[1:-1], 2, 0), FILTERS[-1:]])


def _log(power: FloatArray) -> FloatArray:
    """Turn band power into log10 above the floor."""
    above: FloatArray = np.log10(power + np.float32(POWER_FLOOR))
    return above


def bands(windows: FloatArray) -> FloatArray:
    """Turn windows of sound (n, 400) into log10 band power (n, 40).

    OpenCV transforms the rows of a batch ten times faster than NumPy does.
    """
    padded = np.zeros((len(windows), FFT), np.float32)
    np.multiply(windows, HANN, out=padded[:, :WINDOW])
    spectrum: FloatArray = cv2.dft(padded, flags=cv2.DFT_ROWS)  # type: ignore[assignment]
    return _log((spectrum * spectrum) @ _PACKED_FILTERS)


class MelStream:
    """What one voice has left behind: its level and its last samples.

    Args:
        dither: Root mean square of the noise that covers silence, full scale 1; 0 for none.
    """

    __slots__ = ("_dither", "_gain", "_peak", "_steps", "tail")

    def __init__(self, *, dither: float = DITHER_RMS) -> None:
        self._dither = np.float32(dither)
        self.reset()

    def reset(self) -> None:
        """Forget the voice: what comes next follows on silence, at the level assumed at first."""
        self._peak = FIRST_PEAK
        self._gain: float | None = None
        self._steps = 0
        self.tail: FloatArray = _NOISE[-TAIL:] * self._dither

    def follow(self, loudest: list[float]) -> list[float]:
        """Take the peaks of the step's four hops, return the gains at its five hop borders."""
        gains = []
        for peak in loudest:
            self._peak = max(self._peak * PEAK_DECAY, peak, LEAST_PEAK)
            gains.append(TARGET_PEAK / self._peak)
        came_from = gains[0] if self._gain is None else self._gain
        self._gain = gains[-1]
        return [came_from, *gains]

    def hiss(self) -> FloatArray:
        """Return the next step's noise. float32, (640,)."""
        start = self._steps * STEP % len(_NOISE)
        self._steps += 1
        return _NOISE[start : start + STEP] * self._dither


def log_mel_step(streams: Sequence[MelStream], pcm: Sequence[FloatArray]) -> FloatArray:
    """Take 40 ms of each voice and return the four mel frames that it completes.

    Args:
        streams: B voices, each once.
        pcm: Their next samples in [-1, 1], 16 kHz. B arrays, float32, (640,).

    Returns:
        log10 band power. float32, (B, 4, 40). At the n-th step (n = 0, 1, ...) row i is mel frame
        4 n - 2 + i; frames before 0 begin in the silence that came before.
    """
    if len(streams) <= _AT_ONCE:
        return _step(streams, pcm)
    groups = range(0, len(streams), _AT_ONCE)
    return np.concatenate([_step(streams[i : i + _AT_ONCE], pcm[i : i + _AT_ONCE]) for i in groups])


def _step(streams: Sequence[MelStream], pcm: Sequence[FloatArray]) -> FloatArray:
    """Do the work of `log_mel_step` for a few voices."""
    hops = np.stack(pcm).reshape(len(streams), FRAMES_PER_STEP, HOP)
    loudest = np.abs(hops).max(axis=2).tolist()
    gains = np.array([s.follow(p) for s, p in zip(streams, loudest, strict=True)], np.float32)
    ramped = gains[:, :-1, None] * (1 - _RAMP) + gains[:, 1:, None] * _RAMP

    sound = np.empty((len(streams), TAIL + STEP), np.float32)
    sound[:, TAIL:] = (hops * ramped).reshape(len(streams), STEP)
    for row, stream in enumerate(streams):
        sound[row, :TAIL] = stream.tail
        sound[row, TAIL:] += stream.hiss()
        stream.tail = sound[row, STEP:].copy()
    # Four windows that overlap, seen in the same memory.
    shape, far = (len(streams), FRAMES_PER_STEP, WINDOW), sound.itemsize
    windows = np.ndarray(shape, np.float32, sound, 0, (sound.strides[0], HOP * far, far))
    return bands(windows.reshape(-1, WINDOW)).reshape(len(streams), FRAMES_PER_STEP, BANDS)


def log_mel(pcm: FloatArray, *, dither: float = DITHER_RMS) -> FloatArray:
    """Return the mel frames of a whole recording: the slow twin of `log_mel_step`.

    Args:
        pcm: Samples in [-1, 1], 16 kHz. float32, (n,).
        dither: As in `MelStream`.

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
    levelled += np.resize(_NOISE, len(pcm)) * np.float32(dither)
    starts = range(0, len(pcm) - WINDOW + 1, HOP)
    spectra = (np.fft.rfft(levelled[start : start + WINDOW] * HANN, FFT) for start in starts)
    frames = [_log((np.abs(spectrum) ** 2).astype(np.float32) @ FILTERS) for spectrum in spectra]
    return np.stack(frames) if frames else np.zeros((0, BANDS), np.float32)
